"""Who may speak to a server of this package: an ASGI middleware that refuses the pages of foreign sites.

A page that a browser shows can send requests to 127.0.0.1, and by DNS rebinding under a name that is not its own. Such
requests carry an Origin of another place, or a Host that is not a name of this machine.
"""

import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shiftgym.errors import ConfigError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST = 300
"""Characters of what is told of a refusal; a client may have sent a key of millions."""


def names_of(host: str, token: str | None) -> frozenset[str] | None:
    """The names by which a server that listens at `host` may be called; None: any, which only a token makes safe.

    Raises:
        ConfigError: others than this machine can reach it, and there is no token.
    """
    if _is_loopback(host):
        return LOOPBACK | {host.lower()}
    if not token:
        raise ConfigError(f"--host {host}: others can reach it, so put a secret token into SHIFTGYM_TOKEN first")
    return None


class Guard:
    """Lets in who asks for this server by one of its names, from no foreign page, and with the token if there is one.

    Args:
        hosts: the names that the Host header may have; None: any, which only a token makes safe.
        token: what `Authorization: Bearer` has to say.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None = LOOPBACK, token: str | None = None) -> None:
        self.app, self._hosts, self._token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope, dict(scope["headers"])) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)

    def _answer(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        """What the guard itself replies to a request; None: it is let in."""
        host, origin = headers.get(b"host", b""), headers.get(b"origin")
        if self._hosts is not None and _name(host) not in self._hosts:
            return self._refusal(scope, 403, f"Host: {_shown(host)} is no name of this server; use {min(self._hosts)}")
        if origin is not None and origin != b"http://" + host:
            return self._refusal(scope, 403, f"Origin: pages of {_shown(origin)} may not use this server")
        if self._token and not same(headers.get(b"authorization", b""), f"Bearer {self._token}"):
            return self._ask_for_token(scope, headers)
        return None

    def _ask_for_token(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        """What is replied to a request without the header that has the token."""
        return self._refusal(scope, 401, "Authorization: give Bearer and the token of this server")

    def _refusal(self, scope: Scope, status: int, message: str) -> Response:
        return error_response(status, message, headers={"WWW-Authenticate": "Bearer"} if status == 401 else None)


def same(given: bytes, secret: str) -> bool:
    """Whether a text is the secret, in a time that tells nothing of it."""
    return hmac.compare_digest(given, secret.encode())


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


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
