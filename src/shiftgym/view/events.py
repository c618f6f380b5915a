"""Server-sent events: the board of a run, and then every change of it."""

from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from shiftgym.view.watching import Watch, Watches

HEARTBEAT = 10.0
"""Seconds after which a reader hears that the server is there, if there is nothing else to say."""

PIECE = 1 << 16
"""Characters that are sent at a time."""

RETRY = 1000
"""Milliseconds after which a browser comes back when a stream has ended."""


class EventStream(StreamingResponse):
    """The events of one reader. A reader who comes back and says what it heard last gets only what changed since."""

    media_type = "text/event-stream"

    def __init__(self, watches: Watches, folder: Path, request: Request) -> None:
        self._watches, self._folder = watches, folder
        self._heard = request.headers.get("last-event-id") or request.query_params.get("last", "")
        self._silent = request.method == "HEAD"
        super().__init__(())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._silent:
            await super().__call__(scope, receive, send)
            return
        with self._watches.reading(self._folder) as watch:
            self.body_iterator = _events(watch, self._heard)
            await super().__call__(scope, receive, send)


async def _events(watch: Watch, heard: str) -> AsyncIterator[str]:
    """The text of the stream, until the watch ends.

    Args:
        heard: the id of the last event that the reader has; any other text if it has none.
    """
    yield f"retry: {RETRY}\n\n"
    while not watch.closed:
        newer = await watch.newer(heard, HEARTBEAT)
        if newer is None:
            yield ": here\n\n"
        else:
            heard, patch = newer
            yield f"id: {heard}\nevent: patch\ndata: {patch[:PIECE]}"
            # A reader that does not read is not sent the next piece, so it takes no memory for a whole patch.
            for at in range(PIECE, len(patch), PIECE):
                yield patch[at : at + PIECE]
            yield "\n\n"
