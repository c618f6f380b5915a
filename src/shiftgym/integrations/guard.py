"""Who may speak to a server on this machine: an ASGI middleware that refuses the pages of foreign sites.

A page that a browser shows can send requests to 127.0.0.1, and by DNS rebinding under a name that is not its own. Such
requests carry an Origin of another place, or a Host that is not a name of this machine.
"""

import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST = 300
"""Characters of what is told of a refusal; a client may have sent a key of millions."""


class Guard:
    """Lets in who asks for this server by one of its names, from no foreign page, and with the token if there is one.

    Args:
        hosts: the names that the Host header may have; None: any, which only a token makes safe.
        token: what `Authorization: Bearer` has to say.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None = LOOPBACK, token: str | None = None) -> None:
        self.app, self._hosts = app, hosts
        self._authorization = token and f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(dict(scope["headers"])) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, headers: Mapping[bytes, bytes]) -> Response | None:
        host, origin = headers.get(b"host", b""), headers.get(b"origin")
        if self._hosts is not None and _name(host) not in self._hosts:
            return error_response(403, f"Host: {_shown(host)} is no name of this server; use {min(self._hosts)}")
        if origin is not None and origin != b"http://" + host:
            return error_response(403, f"Origin: pages of {_shown(origin)} may not use this server")
        given = headers.get(b"authorization", b"")
        if self._authorization and not hmac.compare_digest(given, self._authorization):
            bearer = {"WWW-Authenticate": "Bearer"}
            return error_response(401, "Authorization: give Bearer and the token of this server", headers=bearer)
        return None


def error_response(
    status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal in JSON."""
    return Response(json.dumps(error_values(status, message, field)), status, headers, "application/json")


def error_values(status: int, message: str, field: str | None = None) -> dict[str, object]:
    """What is told of a refusal: one line, which names the field at fault if there is one."""
    values: dict[str, object] = {"error": _short(" ".join(message.split())), "status": status}
    return values if field is None else {**values, "field": _short(field)}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


@lru_cache
def _name(host: bytes) -> str | None:
    """The name in a Host header, without the port; None if it holds none."""
    try:
        return urlsplit(f"//{host.decode('ascii')}").hostname
    except ValueError:
        return None


def _shown(header: bytes) -> str:
    return repr(header.decode("latin-1"))
