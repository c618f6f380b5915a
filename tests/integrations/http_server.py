"""A server of sessions in a thread, for tests."""

import socket
import threading
from contextlib import contextmanager

import uvicorn

from shiftgym.integrations.server import session_app


@contextmanager
def running(sessions):
    """Serve these sessions; the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(session_app(sessions), log_config=None, ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
