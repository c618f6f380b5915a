"""Who may look, and what a browser may do with what it gets: ASGI middleware around the pages."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shiftgym.serving.guard import LOOPBACK, Guard, same

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Pages use nothing but files of this server."""

REPORT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox allow-scripts allow-popups allow-downloads",
    )
)
"""A report is one file with its scripts in it. In a sandbox these can ask this server for nothing."""

HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What every reply has, refusals included, unless it says otherwise itself."""

OPEN = "/static/"
"""What lies here belongs to the package and is for everybody: the page that asks for the token loads it."""


class SafeHeaders:
    """Adds `HEADERS` to every reply."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, safely)


class Entrance(Guard):
    """A guard for browsers: who opens a URL with `?token=` gets a cookie, and is sent on to the URL without it.

    Args:
        hosts, token: as for `Guard`.
        refuse: makes the reply to a request, its status and a line that says why.
        cookie: name of the cookie. Cookies of one host are sent to all its ports.
    """

    def __init__(
        self,
        app: ASGIApp,
        refuse: Callable[[Scope, int, str], Response],
        hosts: frozenset[str] | None = LOOPBACK,
        token: str | None = None,
        cookie: str = "shiftgym",
    ) -> None:
        super().__init__(app, hosts, token)
        self._refuse, self._cookie = refuse, cookie
        # Other servers on this host can read the cookie, so it tells nothing of the token.
        self._pass = hmac.new((token or "").encode(), b"shiftgym view", hashlib.sha256).hexdigest()

    def _answer(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        from_elsewhere = headers.get(b"sec-fetch-site") not in (None, b"same-origin", b"none")
        if from_elsewhere and headers.get(b"sec-fetch-mode") != b"navigate":
            # Such as a picture in a page of others. It cannot read the reply, but may cause work.
            return self._refuse(scope, 403, "Sec-Fetch-Site: pages of others may not use this server")
        return super()._answer(scope, headers)

    def _ask_for_token(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        assert self._token is not None
        if scope["path"].startswith(OPEN):
            return None
        request = Request(scope)
        given = request.query_params.get("token")
        if given is not None and same(given.encode(), self._token):
            rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
            # Relative, since a proxy may have taken the request under another path.
            last = scope["raw_path"].decode("latin-1").rpartition("/")[2]
            url = f"./{last}" + ("?" + urlencode(rest) if rest else "")
            reply = Response(status_code=303, headers={"Location": url})
            reply.set_cookie(self._cookie, self._pass, httponly=True, samesite="strict")
            return reply
        if same(request.cookies.get(self._cookie, "").encode(), self._pass):
            return None
        wrong = "this server wants its token" if given is None else "this is not the token of this server"
        return self._refuse(scope, 401, f"{wrong} (SHIFTGYM_TOKEN)")

    def _refusal(self, scope: Scope, status: int, message: str) -> Response:
        return self._refuse(scope, status, message)
