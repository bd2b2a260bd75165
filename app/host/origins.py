"""Which pages' requests are taken: those of the app's own page, and of programs that are no page."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
REFUSAL = "Pages of other sites may not use this app. Open the app's own page."


def is_foreign(method: str, headers: Headers) -> bool:
    """Whether a page of another origin asks for something to be done.

    A browser says so itself (Sec-Fetch-Site); where it does not, as over HTTP to another machine, the Origin
    is not the host that was asked. Neither can be set by a page.
    """
    if method in SAFE_METHODS:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    return origin.partition("://")[2] not in (headers.get("host"), headers.get("x-forwarded-host"))


class RefuseForeignPages:
    """ASGI middleware that answers requests of other sites' pages with 403 before their body is read."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(scope["method"], Headers(scope=scope)):
            await PlainTextResponse(REFUSAL, status_code=403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
