"""Requests that do not fit: their JSON, the name of an endpoint, a file without a name."""

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


async def refuse_unknown_endpoint(request: Request, error: Exception) -> JSONResponse:
    """Answer 404 where Gradio knows no endpoint of that name."""
    said = "There is no such endpoint. The link at the foot of the page names them all."
    return JSONResponse({"detail": said}, status_code=404)


async def refuse_nameless_file(request: Request, error: Exception) -> JSONResponse:
    """Answer 400 to an upload that Gradio takes for a text, as a form sends it where no file was chosen.

    Raises any other TypeError again.
    """
    if not request.url.path.endswith("/upload"):
        raise error
    return JSONResponse({"detail": "No file came. Choose one, and send it with its name."}, status_code=400)


async def require_session_name(request: Request) -> None:
    """Refuse a request whose session has an empty name, which Gradio queues for nobody and then fails at.

    Raises RequestValidationError.
    """
    if "json" not in request.headers.get("content-type", ""):
        return
    try:
        body = await request.json()  # read already, where one is taken
    except (ValueError, RecursionError):
        return
    if isinstance(body, dict) and body.get("session_hash") == "":
        fault = {
            "type": "string_too_short",
            "loc": ("body", "session_hash"),
            "msg": "Name a session, or none",
        }
        raise RequestValidationError([fault])
