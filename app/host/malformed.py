"""Requests whose JSON does not fit."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

SAID = ("type", "loc", "msg")


async def refuse_malformed(request: Request, error: Exception) -> JSONResponse:
    """Answer as FastAPI does, 422 with what is wrong and where, but without repeating what was sent: of a
    number that is not finite its own answer cannot be written, and becomes a 500."""
    assert isinstance(error, RequestValidationError)
    faults = [{key: fault[key] for key in SAID} for fault in error.errors()]
    return JSONResponse({"detail": faults}, status_code=422)
