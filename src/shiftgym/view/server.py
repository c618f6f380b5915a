"""`shiftgym view`: pages that show runs and follow them while they go. Nothing is written, and nothing is served but
what belongs to the runs of one folder."""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.following import page
from shiftgym.following.declaration import check_code, read_declaration
from shiftgym.following.follower import Follower
from shiftgym.serving.guard import LONGEST, names_of
from shiftgym.serving.listening import address, listening
from shiftgym.view.browser import open_browser
from shiftgym.view.entrance import REPORT_POLICY, Entrance, SafeHeaders
from shiftgym.view.events import EventStream
from shiftgym.view.faults import in_a_line
from shiftgym.view.folders import Runs
from shiftgym.view.glances import Glances
from shiftgym.view.reporting import Reports
from shiftgym.view.watching import BUG, BoardKeeper, Watches

PORT = 8017
"""Where pages are served if nothing else is said."""

FAREWELL = 1
"""Seconds in which the requests under way are answered when the server ends. Streams of events end at once."""

FIRST = 10.0
"""Seconds that the first look at a run may take where its board is asked for as a whole."""

PATIENCE = 0.5
"""Seconds in which a list waits for what it tells of runs to be read."""

MOST = 8
"""So many runs are compared at most."""


class Pages:
    """The pages of the runs in one folder.

    Args:
        follow: makes what keeps the board of a run folder up to date.
    """

    def __init__(self, runs: Runs, follow: Callable[[Path], BoardKeeper] = Follower) -> None:
        self.runs = runs
        self.reports, self._glances = Reports(), Glances()
        self.watches = Watches(follow)
        self._reading: asyncio.Task[None] | None = None
        """Reads what the list tells of runs."""

    def routes(self) -> list[Route]:
        """What is served: URL -> what replies."""
        return [
            Route("/", self.front),
            Route("/static/{name}", self.asset),
            Route("/compare", self.compare),
            Route("/run/{name}", self.run_without_slash),
            Route("/run/{name}/", self.run),
            Route("/run/{name}/events", self.events),
            Route("/run/{name}/board", self.board),
            Route("/run/{name}/problem", self.problem),
            Route("/run/{name}/report", self.report),
        ]

    async def front(self, _request: Request) -> Response:
        """The list of runs, or the way to the only one."""
        if self.runs.alone:
            return _sent_to(f"./run/{quote(self.runs.name, safe='')}/")
        runs = await asyncio.to_thread(self.runs.all)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._glances.read, runs))
        # Whatever takes longer is read meanwhile, and stands in the next list.
        await asyncio.wait({self._reading}, timeout=PATIENCE)
        rows = await asyncio.to_thread(self._glances.rows, runs)
        return HTMLResponse(page.runs_page(rows, self.runs.name))

    async def asset(self, request: Request) -> Response:
        """A file that pages load."""
        if request.path_params["name"] not in page.ASSETS:
            raise HTTPException(404, "there is no such file")
        kind, text = page.ASSETS[request.path_params["name"]]
        return Response(text, media_type=kind)

    async def compare(self, request: Request) -> Response:
        """Some runs over one another."""
        names = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 1 < len(names) <= MOST:
            raise HTTPException(400, f"choose two runs to compare, or up to {MOST}")
        for name in names:
            self._folder(name)
        return HTMLResponse(page.compare_page(names))

    async def run_without_slash(self, request: Request) -> Response:
        """The way to the page of a run."""
        return _sent_to(f"./{quote(request.path_params['name'], safe='')}/")

    async def run(self, request: Request) -> Response:
        """The page of a run."""
        name = request.path_params["name"]
        self._folder(name)
        return HTMLResponse(page.run_page(name, several=not self.runs.alone))

    async def events(self, request: Request) -> Response:
        """What is known of a run, and every change of it."""
        return EventStream(self.watches, self._folder(request.path_params["name"]), request)

    async def board(self, request: Request) -> Response:
        """What is known of a run."""
        with self.watches.reading(self._folder(request.path_params["name"])) as watch:
            newer = await watch.newer("", FIRST)
        if newer is None:
            raise HTTPException(503, "this run is still being read")
        return Response(newer[1], media_type="application/json")

    async def problem(self, request: Request) -> Response:
        """How a problem is shown: prompts, pictures and map."""
        folder, index = self._folder(request.path_params["name"]), request.query_params.get("index", "")
        if not (index.isascii() and index.isdigit() and len(index) < 10):
            raise HTTPException(400, "index: give the number of a problem")
        with self.watches.reading(folder) as watch:
            try:
                await asyncio.to_thread(self._check_code, folder)
                shown = await watch.problem(request.query_params.get("split", ""), int(index))
            except (ShiftgymError, OSError) as error:
                raise HTTPException(404, in_a_line(folder, error)) from None
        return Response(shown, media_type="application/json")

    async def report(self, request: Request) -> Response:
        """The whole report of a run as it is now."""
        folder = self._folder(request.path_params["name"])
        try:
            await asyncio.to_thread(self._check_code, folder)
            text = await self.reports.html(folder)
        except (ShiftgymError, OSError) as error:
            raise HTTPException(503, in_a_line(folder, error)) from None
        return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})

    def close(self) -> None:
        """Let streams end, and what is being made."""
        self.watches.close()
        self.reports.close()
        self._glances.closed = True

    def _check_code(self, folder: Path) -> None:
        """Refuse to run what may have come with the runs that are shown."""
        check_code(read_declaration(folder), self.runs.folder)

    def _folder(self, name: str) -> Path:
        folder = self.runs.get(name)
        if folder is None:
            raise HTTPException(404, f"there is no run {name!r} in {self.runs.name}")
        return folder


def view_app(pages: Pages, hosts: frozenset[str] | None, token: str | None = None, cookie: str = "shiftgym") -> ASGIApp:
    """The application that serves these pages.

    Args:
        hosts, token, cookie: as for `Entrance`.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        pages.close()

    app = Starlette(
        routes=pages.routes(),
        exception_handlers={HTTPException: _told, Exception: _bug},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a proxy may have taken the request under another name
    return SafeHeaders(Entrance(app, _message, hosts, token, cookie))


class Server(uvicorn.Server):
    """Ends the streams of events before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, pages: Pages) -> None:
        super().__init__(config)
        self._pages = pages

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._pages.close()
        # Of what does not read to the end, uvicorn would have much to say.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def view(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    opened: bool = False,
) -> None:
    """Serve the pages of a run, or of the runs in a folder, until a signal ends it. The first line on the standard
    output says where.

    Args:
        port: 0 for one that is free; None for `PORT`, or if that is taken for one that is free.
        token: what readers have to know; needed where others than this machine can reach `host`.
        opened: whether a browser is to show them.

    Raises:
        ConfigError: there is no run, nothing can listen there, or the token is missing.
    """
    hosts = names_of(host, token)
    runs = _runs_in(folder)
    with _listener(host, port) as listener:
        url = f"{address(host, listener)}/"
        count = "one run" if len(runs.all()) == 1 else f"{len(runs.all())} runs"
        shown = count if runs.alone else f"{count} of {folder}"
        print(f"page: {url}\nIt shows {shown} and follows what goes on. Ctrl-C ends it.")
        if token:
            print(f"It asks for the token of SHIFTGYM_TOKEN, once; {url}?token=... gives it too.")
        sys.stdout.flush()
        if opened:
            open_browser(url)
        pages = Pages(runs)
        config = uvicorn.Config(
            view_app(pages, hosts, token, f"shiftgym-{listener.getsockname()[1]}"),
            log_level="warning",
            access_log=False,
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=FAREWELL,
        )
        Server(config, pages).run([listener])


def _runs_in(folder: Path) -> Runs:
    advice = "give a run folder, or a folder with runs in it"
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; {advice}")
    runs = Runs(folder)
    if not runs.all():
        raise ConfigError(f"{folder}: there is no run in it (a run folder has a study.toml); {advice}")
    return runs


def _listener(host: str, port: int | None) -> socket.socket:
    if port is not None:
        return listening(host, port)
    try:
        return listening(host, PORT)
    except ConfigError:
        return listening(host, 0)


def _message(scope: Scope, status: int, message: str) -> Response:
    """A page of one sentence."""
    root = "../" * (scope["raw_path"].count(b"/") - 1) or "./"
    line = " ".join(message.split())[:LONGEST]
    text = page.message_page("shiftgym view", line, root, token=status == 401)
    return HTMLResponse(text, status)


def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _message(request.scope, error.status_code, error.detail)


def _bug(request: Request, _error: Exception) -> Response:
    return _message(request.scope, 500, BUG)


def _sent_to(url: str) -> Response:
    return RedirectResponse(url, 307)
