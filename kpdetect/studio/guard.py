"""Refuse requests that do not come from the studio's own page, opened with the secret token.

The headers Origin and Sec-Fetch-Site show requests from pages of other sites. The header Host shows requests through another
name of this machine. Other users of this machine do not know the token. A Content-Security-Policy forbids the page to load
anything from elsewhere.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CLOSED = "This page belongs to a running studio. Open the address that `kpdetect studio` printed; it holds the key."


class Guard:
    """Passes on only requests that come from the studio's own page.

    Args:
        app: the studio's web application.
        token: the secret in the address that the command prints.
        port: the port on which the studio listens.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token, self.cookie = app, token, f"kpdetect-studio-{port}"
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, and pass it on or refuse it."""
        if scope["type"] != "http":
            return  # the studio has no websockets, and no start or end events
        headers = Headers(scope=scope)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        by_address = scope["method"] == "GET" and secrets.compare_digest(given.encode(), self.token.encode())
        refused = self._refusal(headers, by_address, scope["path"])

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                mine = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    mine.setdefault(name, value)
                if by_address and refused is None:
                    mine.append("Set-Cookie", f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        await (refused or self.app)(scope, receive, sealed)

    def _refusal(self, headers: Headers, by_address: bool, path: str) -> Response | None:
        if headers.get("host") not in self.hosts:
            return JSONResponse({"error": "The studio answers only to 127.0.0.1 and localhost."}, 400)
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return JSONResponse({"error": "Pages of other sites may not use the studio."}, 403)
        if not by_address and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return JSONResponse({"error": "Pages of other sites may not use the studio."}, 403)
        if by_address or self._has_cookie(headers):
            return None
        if path.startswith("/api/"):
            return JSONResponse({"error": CLOSED}, 403)
        return HTMLResponse(f"<!doctype html><title>kpdetect studio</title><p>{CLOSED}</p>", 403)

    def _has_cookie(self, headers: Headers) -> bool:
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self.cookie)
        return found is not None and secrets.compare_digest(found.value.encode(), self.token.encode())
