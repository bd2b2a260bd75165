"""Requests that do not fit: their JSON, the name of an endpoint, its values, a file without a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette.requests import Request
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from gradio import Blocks

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
    if (await _read_object(request)).get("session_hash") == "":
        raise _fault("session_hash", "string_too_short", "Name a session, or none")


async def require_fitting_values(request: Request) -> None:
    """Refuse what asks for a function that is not there, or brings an endpoint fewer values than it takes.

    Gradio fails at these without a word.

    Raises FnIndexInferError, RequestValidationError.
    """
    blocks: Blocks = request.app.get_blocks()
    body = await _read_object(request)
    number, values = body.get("fn_index"), body.get("data")
    if isinstance(number, int) and number not in blocks.fns:
        raise FnIndexInferError(f"There is no function {number}.")
    *_, kind, name = ["", *request.url.path.rstrip("/").split("/")]
    if kind not in ("run", "api", "call") or not isinstance(values, list):
        return
    for work in blocks.fns.values():
        taken = [one for one in work.inputs if not one.stateful]
        if work.api_name == name and len(values) < len(taken):
            labels = ", ".join(str(getattr(one, "label", None)) for one in taken)
            said = f"{name} takes {len(taken)} values, and {len(values)} came: {labels}"
            raise _fault("data", "too_short", said)


async def _read_object(request: Request) -> dict[str, Any]:
    """Return a request's JSON object; an empty one where it has none, which is the matter of who takes it."""
    if "json" not in request.headers.get("content-type", ""):
        return {}
    try:
        body = await request.json()  # read already, where one is taken
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _fault(field: str, kind: str, said: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body", field), "msg": said}])
