"""Who may talk to the server: the Host of a request, its Origin, its token; and what a page may do.

Three dangers are met here. A page of another site that the user looks at can send requests to this
server: its POST has a foreign Origin. Its name can be made to resolve to 127.0.0.1 (DNS
rebinding): its Host is foreign. And whoever reaches the port of a server that is open to a network
needs the token.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Dict, Optional
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

#: Nothing that the page loads may come from anywhere else; so it also works without a network.
HEADERS: Dict[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_MOST_BODY_BYTES = 1024


class Guard:
    """Answer the requests of those who may not pass, and pass on the others.

    Args:
        app: What lies behind.
        token: What a request has to show; None for a server that only this machine reaches, which
            asks for a Host of this machine instead.
        port: The server's, for the name of its cookie: cookies do not tell ports apart.
    """

    def __init__(self, app: ASGIApp, *, token: Optional[str], port: int) -> None:
        self._app = app
        self._token = None if token is None else token.encode("utf-8")
        self._cookie = f"atlas_hpe_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application; requests only, no WebSocket and no lifespan."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refuse(Request(scope))
        await (self._app if refusal is None else refusal)(scope, receive, send_with_headers)

    def _refuse(self, request: Request) -> Optional[Response]:
        """What to answer instead, None when the request may pass."""
        host = request.headers.get("host", "")
        if self._token is None and _host_name(host) not in _LOOPBACK_NAMES:
            return PlainTextResponse("this server answers to the names of this machine only\n", 403)
        if request.method not in _SAFE_METHODS:
            origin = request.headers.get("origin")
            if origin is not None and _place(origin) != host.lower():
                return PlainTextResponse("the request comes from another site\n", 403)
            if _body_bytes(request) > _MOST_BODY_BYTES:
                return PlainTextResponse("the request is too large\n", 413)
        return None if self._token is None else self._ask(request, self._token)

    def _ask(self, request: Request, token: bytes) -> Optional[Response]:
        """Look for the token; one in the address moves into a cookie."""
        # Not the token itself: what a browser stores opens this server only, and only by cookie.
        ticket = hmac.new(token, self._cookie.encode("ascii"), hashlib.sha256).hexdigest()
        given = request.query_params.get("token")
        if given is not None and request.url.path == "/" and _is_same(given, token):
            answer = RedirectResponse("./", status_code=303)
            answer.set_cookie(self._cookie, ticket, httponly=True, samesite="strict")
            return answer
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _is_same(shown.strip(), token):
            return None
        if _is_same(request.cookies.get(self._cookie, ""), ticket.encode("ascii")):
            return None
        return PlainTextResponse(
            "open the address that atlas-hpe serve printed, with its token\n",
            401,
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_same(given: str, expected: bytes) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected)


def _place(origin: str) -> str:
    """Name and port of an origin; a proxy may speak https where this server speaks http."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _body_bytes(request: Request) -> int:
    """The announced size of the body; nobody reads one, so one without a size costs nothing."""
    size = request.headers.get("content-length", "0")
    return int(size) if size.isdigit() else _MOST_BODY_BYTES + 1
