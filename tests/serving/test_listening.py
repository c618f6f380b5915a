"""Where a server listens is known before it serves, and what cannot be had is said in one line."""

import socket

import pytest

from shiftgym.errors import ConfigError
from shiftgym.serving.listening import address, listening


def test_who_connects_early_waits():
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address("127.0.0.1", listener) == f"http://127.0.0.1:{port}"
        assert address("::1", listener) == f"http://[::1]:{port}"
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_what_cannot_be_had_is_one_line():
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"--host 127.0.0.1 --port {port}: Address already in use"):
            listening("127.0.0.1", port)
    with pytest.raises(ConfigError, match="--host 203.0.113.1 --port 0: "):
        listening("203.0.113.1", 0)
    with pytest.raises(ConfigError, match="--port 70000: give a number from 0 to 65535"):
        listening("127.0.0.1", 70000)
