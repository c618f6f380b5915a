"""What Ray, a second core and a second rank cost and bring, as ratios measured side by side in one run.

    python benchmarks/cluster.py                   all parts, each in under three minutes on two idle cores
    python benchmarks/cluster.py --part jobs       one of: branches, overhead, ranks, jobs
    python benchmarks/cluster.py --toy             everything at toy size, which proves that the script runs
    python benchmarks/cluster.py --folder runs     keep the run folders, such as that of `jobs` with its report

* branches: two equal branches under Ray, one after the other and side by side. The efficiency is half the ratio.
* overhead: the branches of points-text-quick, with a smaller budget, under Ray and under `local`, in turns. Seconds are
  those in which branches run; start-up, up to the first process that has imported torch, is told apart.
* ranks: steps of SFT of a model of 20M parameters with random weights: one process with one thread, one with two
  threads, and two ranks with one thread each.
* jobs: 2,000 light branches, and the 100 starts that they need, on a cluster of four nodes that declare 16 CPUs each.
  Seconds are those of the driver's processor, in its own process, publishing and progress included.

The exit code is 1 if a target is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console

from cluster_jobs import learn, make_model, seconds_of_steps, sleep, write_light
from shiftgym.engines.base import Call, Engine, Job, State, Watch, load_engine
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.placement import Placement
from shiftgym.studies.branch import run_branch
from shiftgym.studies.config import Study, load_study
from shiftgym.studies.own_process import IMPORTED
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.studies.progress import LogDisplay
from shiftgym.studies.run import prepare
from shiftgym.studies.tries import Publisher, Tries


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    flops: float = 3e11
    """Budget of a branch; that of points-text-quick is thirteen times as large."""
    problems: int = 32
    shortened: tuple[str, ...] = ()
    """Other settings of points-text-quick."""
    rounds: int = 2
    """How often the study runs under each engine."""
    hidden: int = 384
    layers: int = 10
    steps: int = 6
    batch: int = 32
    nodes: int = 4
    cpus: int = 16
    """What each node declares."""
    names: int = 20
    seeds: int = 100


TOY = Size(
    flops=1e8, problems=2, rounds=1, hidden=32, layers=2, steps=3, batch=4, nodes=2, cpus=2, names=3, seeds=4,
    shortened=(
        "budget.checkpoints=[1.0]", "evaluation.decodings=['sampled']", "evaluation.splits=['id', 'rule_ood']",
        "branches.ppo.episodes_per_iteration=8", "branches.ppo.minibatch=8",
    ),
)  # fmt: skip


@dataclass
class Bench:
    """The size of everything, where run folders go, and the table so far."""

    size: Size
    folder: Path
    missed: list[str] = field(default_factory=list)

    def tell(self, what: str, value: float, unit: str = "", *, least: float = 0, most: float = 0) -> None:
        """Print one line of the table.

        Args:
            least, most: the target, if there is one. At toy size it says nothing, so none is missed.
        """
        line = f"{what:<48}{value:>9.4g} {unit:<5}"
        if least or most:
            line += f" {'>=' if least else '<='} {least or most:g}"
            missed = self.size != TOY and (value < least or (most and value > most))
            line += "" if self.size == TOY else " MISSED" if missed else " PASS"
            self.missed += [what] if missed else []
        print(line.rstrip(), flush=True)


def branches(bench: Bench) -> None:
    """Two branches on one core and on two."""
    study = quick(bench, *PAIR)
    seconds = {}
    for workers in (1, 2):
        with cluster([2]) as address, connected("ray", workers, address) as where:
            seconds[workers] = train(bench, where, study)[1]
    bench.tell("two branches under Ray, one core", seconds[1], "s")
    bench.tell("two branches under Ray, two cores", seconds[2], "s")
    bench.tell("efficiency of two cores", seconds[1] / seconds[2] / 2, least=0.9)


PAIR = (
    "seeds=[0, 1]",
    "branches={sft = {label = 'SFT', recipe = 'sft', precision = 'auto'}}",
    "compare={supervised = 'sft'}",
)
"""What makes two equal branches of points-text-quick."""


def overhead(bench: Bench) -> None:
    """The same branches under both engines."""
    study = quick(bench)
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    started: dict[str, list[float]] = {"local": [], "ray": []}
    for _ in range(bench.size.rounds):
        for name in seconds:
            began = time.perf_counter()
            with cluster([2] if name == "ray" else []) as address, connected(name, 2, address) as where:
                connecting = time.perf_counter() - began
                first, rest = train(bench, where, study)
            started[name].append(connecting + first)
            seconds[name].append(rest)
    for name in seconds:
        bench.tell(f"{name}: start-up and the shared start", started[name][0], "s")
        bench.tell(f"{name}: the branches of {study.name}", min(seconds[name]), "s")
    bench.tell("Ray over local, without start-up", min(seconds["ray"]) / min(seconds["local"]), most=1.1)


def ranks(bench: Bench) -> None:
    """Steps of SFT by one thread, by two, and by two ranks."""
    size, model = bench.size, bench.folder / "model"
    seconds = {}
    with connected("local", 1) as where:
        one_job(where, "model", Call(make_model, (model, size.hidden, size.layers), bench.folder / "model.txt"))
        for called, threads, count in (("one thread", 1, 1), ("two threads", 2, 1), ("two ranks", 1, 2)):
            folder = bench.folder / called.replace(" ", "-")
            call = Call(learn, (model, folder, size.steps, size.batch, threads), folder / "log.txt")
            one_job(where, called, call, ranks=count)
            seconds[called] = median(seconds_of_steps(folder)[1:])
            bench.tell(f"a step of SFT, {called}", seconds[called], "s")
    for called in ("two threads", "two ranks"):
        bench.tell(f"efficiency of {called}", seconds["one thread"] / seconds[called] / 2)


def jobs(bench: Bench) -> None:
    """Very many light branches on a cluster of nodes that are processes here."""
    size = bench.size
    study = sweep(bench)
    run = new_run(bench, study)
    planned = plan(study)
    driver = Driver(len(planned))

    def make(branch: PlannedBranch, folder: BranchFolder) -> Call:
        return Call(write_light, (folder.path, branch.name, branch.seed), folder.log)

    with cluster([size.cpus] * size.nodes) as address, connected("ray", None, address, imports=()) as where:
        began = time.perf_counter(), time.process_time()
        carry_out(where, study, run, planned, make, driver)
        wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    bench.tell(f"{len(planned):,} light jobs on {size.nodes} nodes of {size.cpus} CPUs", wall, "s")
    bench.tell("the driver's processor, a job", 1000 * processor / len(planned), "ms", most=50)
    bench.tell("the driver's memory when 10 % were done", driver.early / 2**20, "MiB")
    bench.tell("the driver's memory at the end", driver.last / 2**20, "MiB")
    bench.tell("memory at the end over that at 10 %", driver.last / driver.early, most=1.1)
    # Imported here, since what it imports would be counted as the driver's.
    from shiftgym.reports.page import build_report

    joined = time.perf_counter()
    with RunFolder(run).results.open("wb") as results:
        for branch in planned:
            results.write(branch.folder(run).results.read_bytes())
    report = build_report(run)
    bench.tell("the report of this run", time.perf_counter() - joined, "s")
    bench.tell("size of report.html", report.stat().st_size / 1e6, "MB", most=10)


@contextmanager
def cluster(nodes: Sequence[int]) -> Iterator[str | None]:
    """The address of a Ray cluster whose nodes are processes here and declare so many CPUs; None without nodes."""
    if not nodes:
        yield None
        return
    from ray.cluster_utils import Cluster

    common = {"include_dashboard": False, "object_store_memory": 100 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **common})
    try:
        for cpus in nodes:
            made.add_node(num_cpus=cpus, **common)
        yield made.address
    finally:
        made.shutdown()


@contextmanager
def connected(
    name: str, workers: int | None, address: str | None = None, imports: Sequence[str] = IMPORTED
) -> Iterator[Engine]:
    """An engine, until the end of the block."""
    placement = Placement(device="cpu")
    with closing(load_engine(name, workers=workers, imports=imports, placement=placement, address=address)) as where:
        yield where


def quick(bench: Bench, *overrides: str) -> Study:
    """points-text-quick with a smaller budget."""
    small = (f"budget.flops={bench.size.flops}", f"evaluation.problems={bench.size.problems}", "device='cpu'")
    return load_study("points-text-quick", [*small, *bench.size.shortened, *overrides])


def sweep(bench: Bench) -> Study:
    """A study of very many branches, as a search for settings has."""
    names = [f"rate-{number:03d}" for number in range(bench.size.names)]
    recipes = {name: ("sft", "ppo")[at % 2] for at, name in enumerate(names)}
    tables = [f"{name} = {{label = '{name}, {recipe}', recipe = '{recipe}'}}" for name, recipe in recipes.items()]
    return load_study(
        "points-text-quick",
        [
            f"branches={{{', '.join(tables)}}}",
            f"compare={{supervised = '{names[0]}', reinforced = '{names[1]}'}}",
            f"seeds={list(range(bench.size.seeds))}",
            "evaluation.splits=['id', 'rule_ood']",
            "evaluation.problems=8",
            "budget.checkpoints=[0.5, 1.0]",
        ],
    )


def new_run(bench: Bench, study: Study) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"{study.name}-", dir=bench.folder))
    prepare(folder, study)
    return folder


def train(bench: Bench, where: Engine, study: Study) -> tuple[float, float]:
    """Seconds of what comes before the first branch, with every worker started, and seconds of the branches."""
    run, planned = new_run(bench, study), plan(study)
    shared = [branch for branch in planned if branch.start is None]
    began = time.perf_counter()
    # It sleeps for so long that every worker gets one.
    warm = Call(sleep, (1.0,), run / "warm.txt")
    finish(where, [Job(f"warm-{number}", lambda: warm) for number in range(where.workers)])

    def make(branch: PlannedBranch, folder: BranchFolder) -> Call:
        return Call(run_branch, (study, branch, run, folder), folder.log)

    carry_out(where, study, run, shared, make)
    started = time.perf_counter()
    carry_out(where, study, run, [branch for branch in planned if branch not in shared], make)
    return started - began, time.perf_counter() - started


class Driver:
    """The memory of this process, early in a run and at the end."""

    def __init__(self, count: int) -> None:
        self.early = self.last = 0
        self._count = count

    def look(self, states: dict[str, State]) -> None:
        self.last = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if not self.early and sum(state == "done" for state in states.values()) * 10 >= self._count:
            self.early = self.last


def carry_out(
    where: Engine,
    study: Study,
    run: Path,
    planned: Sequence[PlannedBranch],
    make: Callable[[PlannedBranch, BranchFolder], Call],
    driver: Driver | None = None,
) -> None:
    """Carry out branches as `shiftgym study run` does, with their progress in a log beside them.

    Args:
        make: the call of a branch that writes to a folder.
    """
    tries = {branch.title: Tries(branch.folder(run)) for branch in planned}
    publisher = Publisher(tries)

    def job(branch: PlannedBranch) -> Job:
        title = branch.title
        needs = branch.start if branch.start in tries else None
        return Job(title, lambda: make(branch, tries[title].begin()), needs)

    with (run / "progress.txt").open("a") as log, LogDisplay(study, planned, tries, Console(file=log), "CPU") as shown:

        def watch(states: dict[str, State]) -> None:
            publisher.publish(states)
            shown.show(states)
            if driver is not None:
                driver.look(states)

        finish(where, [job(branch) for branch in planned], watch)


def one_job(where: Engine, name: str, call: Call, ranks: int = 1) -> None:
    finish(where, [Job(name, lambda: call, ranks=ranks)])


def finish(where: Engine, jobs: Sequence[Job], watch: Watch = lambda _: None) -> None:
    """Run jobs, all of which must end well."""
    states = where.run(jobs, watch)
    if wrong := [name for name, state in states.items() if state != "done"]:
        raise RuntimeError(f"{len(wrong)} of {len(states)} jobs failed, {wrong[0]} first; see its log.txt")


PARTS = {"branches": branches, "overhead": overhead, "ranks": ranks, "jobs": jobs}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--toy", action="store_true", help="everything at toy size")
    parser.add_argument("--folder", type=Path, help="where run folders are kept; by default they are not")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="shiftgym-cluster-") as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(TOY if options.toy else Size(), folder)
        print(f"{os.cpu_count()} cores, {' and '.join(options.part)}")
        for part in options.part:
            PARTS[part](bench)
    print("Missed: " + "; ".join(bench.missed) if bench.missed else "No target was missed.")
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
