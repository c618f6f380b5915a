"""The tests of each integration, and of a tracker, where its peer is installed.

    python scripts/peer_tests.py [--seconds 900] [NAME ...]

Each peer has an environment of its own, `.venv-peers/NAME`. Beneath its own packages it sees those of the Python that
runs this. Its own are those of `scripts/peers/NAME.txt`: the peer, and whatever it needs that is missing below, or is
there in a version that the peer refuses. So an environment is made in seconds, and the one below stays as it is.

Such a file is written once, from what pip chooses: `pip install verl==0.9.1` in an environment like the one that `made`
makes, and then `pip freeze --path` of its site-packages.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "scripts" / "peers"
ENVIRONMENTS = ROOT / ".venv-peers"

PEERS = {
    "verifiers": 100,
    "lm_eval": 85,
    "verl": 70,
    "inspect_ai": 50,
    "openenv": 45,
    "openrlhf": 25,
    "trackio": 20,
    "skyrl": 10,
}
"""The peers, and seconds that each takes beside another one, from no environment to the last test. Those that take the
longest begin, so that none is left alone at the end."""

HUNG = 3
"""How many times its seconds a peer may take on a slow machine."""

TOGETHER = 2
"""Peers that are tested at the same time."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(PEERS)}; all of them otherwise")
    parser.add_argument("--seconds", type=float, default=3600, help="begin no peer that would take longer than this")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PEERS]
    if unknown:
        parser.error(f"unknown peer {unknown[0]!r}: choose from {', '.join(PEERS)}")
    until = time.monotonic() + options.seconds
    ENVIRONMENTS.mkdir(exist_ok=True)
    with ThreadPoolExecutor(TOGETHER) as pool:
        running = [pool.submit(judged, name, until) for name in PEERS if name in options.names or not options.names]
        try:
            results = [report(done.result()) for done in as_completed(running)]
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return 0 if all(results) else 1


def report(judgement: tuple[bool, str]) -> bool:
    """Print what became of a peer, and hand on whether it did not fail."""
    fine, words = judgement
    print(words, flush=True)
    return fine


def judged(name: str, until: float) -> tuple[bool, str]:
    """Whether a peer did not fail, and a line about it, with the log where it failed. It is skipped where its seconds
    are more than what is left until `until`. Where it is not done then, it is cut off, which is a failure only after so
    long that it must have hung."""
    began = time.monotonic()
    if until - began < PEERS[name]:
        return True, f"{name}: skipped, since it takes about {PEERS[name]} s and {max(until - began, 0):.0f} s are left"
    tests = sorted((ROOT / "tests").rglob(f"test_{name}*.py"))
    if not tests:
        return False, f"{name}: failed, no test file is named test_{name}.py"
    log = ENVIRONMENTS / f"{name}.log"
    try:
        with log.open("w") as told:
            python = made(name, told, until)
            installed = time.monotonic()
            # Its commands are found first. Warnings of other versions than those of `.venv` are no errors.
            path = os.pathsep.join([str(python.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
            call([python, "-m", "pytest", "-W", "default", "--color=no", *tests], told, until, PATH=path)
    except subprocess.CalledProcessError as failure:
        return False, f"{log.read_text()}\n{name}: failed, {failure.cmd[2]} with exit code {failure.returncode}"
    except subprocess.TimeoutExpired:
        spent = time.monotonic() - began
        if spent < HUNG * PEERS[name]:
            return True, f"{name}: skipped, since it was not done after {spent:.0f} s, when the time was over"
        return False, f"{log.read_text()}\n{name}: failed, not done after {spent:.0f} s"
    summary = log.read_text().splitlines()[-1].strip(" =")
    if " passed" not in summary:
        return False, f"{log.read_text()}\n{name}: failed, no test ran"
    seconds = f"{time.monotonic() - began:.0f} s, {installed - began:.0f} s of them to install"
    return True, f"{name}: passed in {seconds} ({summary})"


def made(name: str, told: TextIO, until: float) -> Path:
    """The Python of the peer's environment, which is made again where what it holds or lies on has changed, or where it
    was not finished."""
    folder, pins, below = ENVIRONMENTS / name, PINS / f"{name}.txt", sysconfig.get_path("purelib")
    python, stamp = folder / "bin" / "python", folder / ".installed"
    wanted = "\n".join([sys.version, below, (ROOT / "constraints.txt").read_text(), pins.read_text()])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    # pip is below, and so is what builds the packages that come as sources.
    call([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], told, until)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (site / "_below.pth").write_text(f"import site; site.addsitedir({below!r})\n")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-compile", "--requirement", pins]
    call([python, "-m", "pip", "install", *options], told, until)
    stamp.write_text(wanted)
    return python


def call(command: list[str | Path], told: TextIO, until: float, **variables: str) -> None:
    """Run a command in the repository until `until`, with its output in `told`. What `.venv` is pinned to does not hold
    for what lies above it."""
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"} | variables
    left = until - time.monotonic()
    subprocess.run(command, cwd=ROOT, env=environment, stdout=told, stderr=told, timeout=left, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
