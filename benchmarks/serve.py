"""Steps of `shiftgym serve`, beside a bare starlette echo of the same bodies.

    python benchmarks/serve.py [--sessions 1024] [--rounds 5]

The echo reads each body as JSON and writes it again. Both run in a process of their own under the same uvicorn and are
sent the same requests over the same number of connections. Answers are of ordinary length and wrong, as most are in
training; a request carries one of them, or many. Seconds are those of the processor in the server, so that neither
other work on the machine nor the client counts. The two take turns, and ratios are medians over the rounds: to the
echo of the same bodies, and to an echo that is sent each step in a request of its own.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shiftgym.integrations.problems import Problems

LIMIT = 5
CONNECTIONS = 8
CARRIED = (1, 16, 256)
"""Steps a request."""
PROMISED = 0.7

ECHO = """
import socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def echo(request):
    return JSONResponse(await request.json())

listening = socket.create_server(("127.0.0.1", 0))
print(f"echo: http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
app = Starlette(routes=[Route("/steps", echo, methods=["POST"])])
config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_keep_alive=75)
uvicorn.Server(config).run([listening])
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1024, help="each is answered until its attempts run out")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    command = "from shiftgym.cli.main import main; main()"
    serve = [sys.executable, "-c", command, "serve", "points-text", "--port", "0"]
    with Server([sys.executable, "-c", ECHO]) as echo, Server(serve) as server:
        print(f"{'steps a request':<18}{'serve steps/s':>15}{'echo steps/s':>15}{'ratio':>8}{'to single echo':>16}")
        ratios, single = [], None
        for carried in CARRIED:
            mine, bare, ratio = compared(server, echo, carried, options.sessions, options.rounds)
            single = single or bare
            print(f"{carried:<18}{mine:>15,.0f}{bare:>15,.0f}{ratio:>8.2f}{mine / single:>16.2f}", flush=True)
            ratios.append(ratio)
    print(f"promised: {PROMISED} with {CARRIED[0]} step a request")
    return 0 if ratios[0] >= PROMISED else 1


class Server:
    """A server in a process of its own, with connections to it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Server":
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.connections = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(CONNECTIONS)]
        self.readers = [connection.makefile("rb") for connection in self.connections]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def post(self, path: str, bodies: Sequence[bytes]) -> list[Any]:
        """Send each body, as many at the same time as there are connections; the replies."""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
        replies = []
        for first in range(0, len(bodies), CONNECTIONS):
            wave = bodies[first : first + CONNECTIONS]
            for connection, body in zip(self.connections, wave, strict=False):
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            replies += [reply(reader) for reader, _ in zip(self.readers, wave, strict=False)]
        return replies

    def seconds(self) -> float:
        """Of the processor, in all threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def reply(reader: Any) -> Any:
    """The values in the next reply, which must be a success."""
    status, length = reader.readline(), 0
    assert status.split()[1] in (b"200", b"201"), status
    while (line := reader.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return json.loads(reader.read(length))


def compared(server: Server, echo: Server, carried: int, sessions: int, rounds: int) -> tuple[float, float, float]:
    """Steps a second of the server and of the echo, and their ratio."""
    speeds = []
    for number in range(rounds):
        bodies = step_bodies(server, carried, sessions)
        took = []
        for one in (server, echo) if number % 2 else (echo, server):
            begun = one.seconds()
            replies = one.post("/steps", bodies)
            took.append((one, LIMIT * sessions / (one.seconds() - begun)))
            if one is server:
                check(replies, sessions)
        speeds.append((dict(took)[server], dict(took)[echo]))
    ratio = statistics.median(mine / bare for mine, bare in speeds)
    mine, bare = (statistics.median(column) for column in zip(*speeds, strict=True))
    return mine, bare, ratio


def step_bodies(server: Server, carried: int, sessions: int) -> list[bytes]:
    """Requests that answer new sessions until their attempts run out, `carried` steps in each."""
    problems = Problems("points-text")
    steps: list[dict[str, str]] = []
    wanted = [{"split": "id", "index": index, "limit": LIMIT, "send": "told"} for index in range(sessions)]
    lists = [json.dumps(wanted[first : first + 500]).encode() for first in range(0, sessions, 500)]
    opened = [session for listed in server.post("/sessions", lists) for session in listed]
    for index, session in enumerate(opened):
        answer = json.loads(problems.task.expert(problems.session("id", index).episode.decisions[0].decision))
        answer["formula"] += " + 1"
        steps.append({"session": session["session"], "text": json.dumps(answer)})
    every = steps * LIMIT
    groups = [every[first : first + carried] for first in range(0, len(every), carried)]
    return [json.dumps(group if carried > 1 else group[0]).encode() for group in groups]


def check(replies: Sequence[Any], sessions: int) -> None:
    """Every step was judged, and every session has ended in the end."""
    judged = [step for each in replies for step in (each if isinstance(each, list) else [each])]
    assert all("reward" in step for step in judged), next(step for step in judged if "reward" not in step)
    assert len({step["session"] for step in judged if step["done"]}) == sessions


if __name__ == "__main__":
    sys.exit(main())
