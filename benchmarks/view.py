"""Opening a run of 100 branches with 50 checkpoints for a live page, beside merely reading its files.

    python benchmarks/view.py [--branches 33] [--seeds 3] [--checkpoints 50] [--problems 32]

A run folder of made-up numbers is written, as a finished study leaves it. A process of its own, with everything that
the server of the page imports, follows it as that server does. Three moments count: every branch has its state and its
last success, every line of a figure has its values, every value has its interval. Seconds are those of the processor,
so that other work on the machine counts less; of the first moment they are those of a clock too. The ratio is that of
the second moment to a process that parses every line of the same files by Python's `json` and does nothing with it.
Memory is the most that the process held until the end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.following.made import Made

OPENED = 2.0
"""Seconds after which every branch's state and last success are to be seen."""

MEMORY = 150.0
"""MB that the process may hold."""

FOLLOW = """
import json, resource, sys, time
from pathlib import Path
import starlette.applications, uvicorn
from shiftgym.following.follower import Follower

def spent():
    return [time.process_time() - processor, time.monotonic() - clock]

folder, branches = Path(sys.argv[1]), int(sys.argv[2])
processor, clock = time.process_time(), time.monotonic()
follower, found = Follower(folder), {}
longest, more = 0.0, True
while more:
    began = time.process_time()
    more = follower.look()
    longest = max(longest, time.process_time() - began)
    board = follower.board.since()
    if "opened" not in found and len(board.get("branches", {})) == branches:
        assert all(branch["last"] for branch in board["branches"].values())
        found["opened"] = spent()
    if "values" not in found and len(board.get("success", {})) == int(sys.argv[3]):
        found["values"] = spent()
found["intervals"] = spent()
began = time.process_time()
follower.look()
found |= {"idle": time.process_time() - began, "longest": longest, "points": len(json.dumps(follower.board.since()))}
found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""

READ = """
import json, sys, time
from pathlib import Path

names = ("metrics.jsonl", "timings.jsonl", "results.jsonl")
paths = [path for name in names for path in Path(sys.argv[1]).glob(f"branches/*/{name}")]
began = time.process_time()
size = sum(len(path.read_bytes()) for path in paths)
read = time.process_time() - began
began = time.process_time()
for path in paths:
    for line in path.read_bytes().splitlines():
        json.loads(line)
print(json.dumps({"bytes": size, "read": read, "parsed": time.process_time() - began}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--branches", type=int, default=33, help="beside the start")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--checkpoints", type=int, default=50)
    parser.add_argument("--problems", type=int, default=32)
    options = parser.parse_args()

    made = Made(options.branches, options.seeds, options.checkpoints, options.problems, steps=8)
    with tempfile.TemporaryDirectory() as folder:
        made.write(Path(folder))
        titles, lines = len(made.names) * made.seeds, len(made.names) * 8
        read = json.loads(_output(READ, folder))
        found = json.loads(_output(FOLLOW, folder, str(titles), str(lines)))
    opened, seconds = found["opened"]
    values, intervals = found["values"][0], found["intervals"][0]
    size = f"{read['bytes'] / 1e6:.0f} MB of logs and results"
    print(f"{titles} branches with seeds, {made.checkpoints} checkpoints, {size}")
    print(f"reading the bytes         {read['read']:8.2f} s of the processor")
    print(f"Python's JSON of them     {read['parsed']:8.2f} s")
    print(f"states and last success   {opened:8.2f} s, {seconds:.2f} s of the clock")
    print(f"all values                {values:8.2f} s, {values / read['parsed']:.2f} of Python's JSON")
    print(f"all intervals             {intervals:8.2f} s")
    print(f"longest look              {found['longest']:8.2f} s")
    print(f"a look at nothing new     {1000 * found['idle']:8.2f} ms")
    print(f"the whole board as JSON   {found['points'] / 1e6:8.2f} MB")
    print(f"memory                    {found['memory']:8.0f} MB")
    kept = {"opening": opened < OPENED, "memory": found["memory"] < MEMORY}
    missed = [name for name, is_kept in kept.items() if not is_kept]
    told = f"missed: {', '.join(missed)}" if missed else "both are kept"
    print(f"promised: opened in {OPENED:g} s, {MEMORY:g} MB; {told}")
    return 1 if missed else 0


def _output(code: str, *arguments: str) -> str:
    """What a process of its own prints."""
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    raise SystemExit(main())
