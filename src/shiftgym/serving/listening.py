"""Where a server listens, for all servers of this package."""

import socket

from shiftgym.errors import ConfigError

BACKLOG = 2048
"""As many connections may wait to be accepted, as with uvicorn."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens: who connects from here on waits and is not refused.

    Args:
        port: 0 for one that is free.

    Raises:
        ConfigError: nothing can listen there.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: give a number from 0 to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(f"--host {host} --port {port}: {error.strerror or error}") from None


def address(host: str, listener: socket.socket) -> str:
    """The URL of the server that listens there."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"
