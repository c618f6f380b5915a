"""`shiftgym serve`: sessions over HTTP, in JSON, for trainers in other processes or languages.

    curl http://127.0.0.1:8000/
    curl http://127.0.0.1:8000/sessions -d '{"study": "points-text", "split": "id", "index": 3}'
    curl http://127.0.0.1:8000/steps -d '{"session": "ID", "text": "..."}'

The first one says what there is. The page docs/integrations/server.md says all.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

import shiftgym
from shiftgym.integrations.limits import DEFAULT_LIMITS, Limits
from shiftgym.integrations.sessions import OpenRequest, Refused, Sessions, StepRequest, ready_tasks
from shiftgym.reading import WrongValue, typed
from shiftgym.serving.guard import Guard, error_response, error_values, names_of
from shiftgym.serving.listening import address, listening
from shiftgym.studies.config import load_study

Asked = TypeVar("Asked", bound=BaseModel)

BREATH = 16
"""After so many items of a request the other requests have a turn."""
SWEEP = 10.0
"""Seconds from one search for sessions whose time is over to the next."""
DRAINED = 4
"""So many times the most that a request may have is read, and forgotten, before the connection is cut: a client that
cannot send to the end does not read the refusal."""
KEEP_ALIVE = 75
"""Seconds for which a connection without a request is kept, since a model may take long to answer."""
FAREWELL = 5
"""Seconds in which the requests under way are answered when the server ends."""
BUG = "an error of the server, or of the task; its log has the traceback"
"""All that a client is told of a bug."""

LOG = logging.getLogger(__name__)


class CloseRequest(BaseModel):
    """What a client says to close a session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session: str


ENDPOINTS: dict[str, tuple[str, type[BaseModel] | None]] = {
    "GET /": ("say what there is", None),
    "POST /sessions": ("open a session", OpenRequest),
    "POST /steps": ("answer", StepRequest),
    "POST /close": ("close a session", CloseRequest),
    "GET /sessions/ID": ("say where a session stands, with the whole conversation", None),
    "DELETE /sessions/ID": ("close a session", None),
}
"""What each does, and what it takes: one such object, or a list of them."""


def serve(
    studies: Sequence[str | Path],
    *,
    overrides: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
) -> None:
    """Serve the problems of some studies until a signal ends it. One line on the standard output says where.

    Args:
        studies: shipped studies or study files.
        overrides: `key.path=value` each, to change every study.
        port: 0 for one that is free.
        token: what clients have to know; needed where others than this machine can reach `host`.

    Raises:
        ConfigError: there is no such study, nothing can listen there, or the token is missing.
    """
    guard = Middleware(Guard, hosts=names_of(host, token), token=token)
    with listening(host, port) as listener:
        sessions = Sessions(ready_tasks([load_study(study, overrides) for study in studies]), limits)
        print(f"{', '.join(sessions.studies)}: {address(host, listener)}", flush=True)
        config = uvicorn.Config(
            session_app(sessions, guard),
            log_level="warning",
            access_log=False,
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=FAREWELL,
        )
        uvicorn.Server(config).run([listener])


def session_app(sessions: Sessions, guard: Middleware | None = None) -> Starlette:
    """The application that serves these sessions.

    Args:
        guard: who is let in; by default whoever calls this machine by its loopback names.
    """
    limits = sessions.limits

    async def close(request: CloseRequest) -> dict[str, Any]:
        return sessions.close(request.session)

    def each(kind: type[Asked], do: Callable[[Asked], Awaitable[dict[str, Any]]], status: int = 200) -> Any:
        async def endpoint(request: Request) -> Response:
            return await _each(await _read(request, limits.max_body), kind, do, limits.max_batch, status)

        return endpoint

    async def state(request: Request) -> Response:
        return _reply(await sessions.state(request.path_params["session"]))

    async def close_one(request: Request) -> Response:
        return _reply(sessions.close(request.path_params["session"]))

    async def what_there_is(_request: Request) -> Response:
        return _reply(_description(sessions))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(sessions))
        yield
        sweeping.cancel()
        sessions.end()

    app = Starlette(
        routes=[
            Route("/steps", each(StepRequest, sessions.step), methods=["POST"]),
            Route("/sessions", each(OpenRequest, sessions.open, 201), methods=["POST"]),
            Route("/close", each(CloseRequest, close), methods=["POST"]),
            Route("/sessions/{session}", state, methods=["GET"]),
            Route("/sessions/{session}", close_one, methods=["DELETE"]),
            Route("/", what_there_is, methods=["GET"]),
        ],
        middleware=[guard or Middleware(Guard)],
        exception_handlers={Refused: _refused, HTTPException: _no_endpoint, ClientDisconnect: _gone, Exception: _bug},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a proxy may have taken the request by another scheme than the one named then
    return app


async def _each(
    asked: Any, kind: type[Asked], do: Callable[[Asked], Awaitable[dict[str, Any]]], most: int, status: int
) -> Response:
    """The reply to one request, or to each of a list. What is refused of a list, or fails by a bug, leaves the rest as
    it is."""
    if not isinstance(asked, list):
        return _reply(await do(_typed(kind, asked)), status)
    if len(asked) > most:
        raise Refused(413, f"a list of {len(asked)}; one request carries at most {most}")
    replies: list[str] = []
    for number, one in enumerate(asked, start=1):
        try:
            replies.append(_ENCODER.encode(await do(_typed(kind, one))))
        except Refused as refused:
            replies.append(_ENCODER.encode(error_values(refused.status, str(refused), refused.field)))
        except Exception:
            LOG.exception("number %d of a list", number)
            replies.append(_ENCODER.encode(error_values(500, BUG)))
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return _json(f"[{','.join(replies)}]")


def _typed(kind: type[Asked], asked: Any) -> Asked:
    if not isinstance(asked, dict):
        raise Refused(422, f"give an object with {', '.join(kind.model_fields)}, or a list of such objects")
    try:
        return typed(kind, asked)
    except WrongValue as wrong:
        # A key that is no text at all has no path.
        raise Refused(422, f"{wrong.path or 'a key'}: {wrong.reason}", wrong.path or None) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


async def _read(request: Request, most: int) -> Any:
    """The values in the body of a request.

    Raises:
        Refused: it is too large, or no JSON.
    """
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            body += chunk
        elif size > most * DRAINED:
            break
    if size > most:
        raise Refused(413, f"a request has at most {most} bytes")
    try:
        return _DECODER.decode(body.decode())
    except RecursionError:
        raise Refused(400, "no JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise Refused(400, f"no JSON: {error}") from None


def _reply(values: Any, status: int = 200) -> Response:
    return _json(_ENCODER.encode(values), status)


def _json(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="application/json")


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error_response(error.status, str(error), error.field)


def _no_endpoint(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = f"{request.method} {request.url.path}: {error.detail}; GET / says what there is"
    return error_response(error.status_code, told, headers=error.headers)


def _gone(_request: Request, _error: Exception) -> Response:
    """Of a client that vanished while it asked; nobody reads this."""
    return Response(status_code=400)


def _bug(_request: Request, _error: Exception) -> Response:
    return error_response(500, BUG)


def _description(sessions: Sessions) -> dict[str, Any]:
    return {
        "shiftgym": shiftgym.__version__,
        "studies": {
            name: {
                "task": task.name,
                "splits": list(task.splits),
                "limit": task.limit,
                "outcomes": list(task.outcomes),
            }
            for name, task in sessions.studies.items()
        },
        "endpoints": {
            name: {"does": does} | ({"takes": takes.model_json_schema()} if takes else {})
            for name, (does, takes) in ENDPOINTS.items()
        },
        "lists": "Every POST takes one such object, or a list of them, to which the reply is a list.",
        "limits": asdict(sessions.limits),
        "open": len(sessions),
    }


async def _sweep(sessions: Sessions) -> NoReturn:
    while True:
        await asyncio.sleep(SWEEP)
        sessions.expire()
