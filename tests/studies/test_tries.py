"""What a branch's processes write, and what of it is published. Processes are played by functions that write files as
training does."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shiftgym.engines.base import State
from shiftgym.files import append_lines, read_lines, replacing, write_lines, write_text
from shiftgym.layout import BranchFolder, CheckpointFolder
from shiftgym.studies import tries as module
from shiftgym.studies.tries import Publisher, Tries

STEPS = 6
EVALUATED = (2, 4, 6)

Action = Callable[[BranchFolder], None]


def lines_of(folder: BranchFolder) -> dict[str, int]:
    return {log.name: log.read_bytes().count(b"\n") for log in folder.logs if log.exists()}


def learn(step: int) -> Action:
    def act(folder: BranchFolder) -> None:
        append_lines(folder.metrics, [{"step": step}])
        append_lines(folder.timings, [{"step": step, "learn": 0.1}])

    return act


def save(step: int) -> Action:
    def act(folder: BranchFolder) -> None:
        append_lines(folder.episodes, [{"step": step}] * 3)
        earlier = folder.checkpoints()
        with replacing(folder.checkpoint(step).path) as unfinished:
            (unfinished / "templates").mkdir(parents=True)
            (unfinished / "templates" / "chat.jinja").write_text("{{ messages }}")
            (unfinished / "model.safetensors").write_text(f"weights {step}")
            CheckpointFolder(unfinished).optimizer.write_text(f"moments {step}")
            CheckpointFolder(unfinished).state.write_text(json.dumps({"step": step, "lines": lines_of(folder)}))
        for checkpoint in earlier:
            checkpoint.optimizer.unlink(missing_ok=True)

    return act


def evaluate(step: int) -> list[Action]:
    def add(file: Path) -> None:
        write_lines(file, [*(row for row in read_lines(file) if row["step"] < step), {"step": step}])

    return [lambda f: add(f.probes), lambda f: add(f.evaluation_episodes), lambda f: add(f.results)]


def end(folder: BranchFolder) -> None:
    write_text(folder.done, json.dumps({"state": "stopped", "message": "a loss is not finite"}))


def actions(done: int = 0, evaluated: bool = True) -> list[Action]:
    """What is left to do of a branch after so many steps, action by action."""
    found = [] if evaluated else evaluate(done)
    for step in range(done + 1, STEPS + 1):
        found.append(learn(step))
        if step in EVALUATED:
            found += [save(step), *evaluate(step)]
    return [*found, end]


def resumed(folder: BranchFolder) -> list[Action]:
    """As a process begins: cut the logs back to the last checkpoint, and do what is left."""
    last = folder.checkpoints()[-1:]
    state = [json.loads(each.state.read_text()) for each in last] or [{"step": 0, "lines": {}}]
    if last:
        assert last[0].optimizer.is_file(), "training goes on from the state of its optimizer"
    for log in folder.logs:
        if log.exists():
            kept = log.read_text().splitlines(keepends=True)
            assert len(kept) >= state[0]["lines"].get(log.name, 0)
            write_text(log, "".join(kept[: state[0]["lines"].get(log.name, 0)]))
    step = state[0]["step"]
    return actions(step, not last or step in [row["step"] for row in read_lines(folder.results)])


def tree(folder: BranchFolder) -> dict[str, str]:
    """Every published file and what it holds."""
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    named = {str(path.relative_to(folder.path)): path.read_text() for path in files}
    return {name: text for name, text in named.items() if not name.startswith("try-") and ".unfinished" not in name}


@pytest.fixture
def whole(tmp_path: Path) -> list[dict[str, str]]:
    """What a single process has written after each of its actions."""
    folder = BranchFolder(tmp_path / "branch")
    folder.path.mkdir()
    states = [{}]
    for act in actions():
        act(folder)
        states.append(tree(folder))
    folder.path.rename(tmp_path / "single")
    return states


@pytest.fixture
def tries(tmp_path: Path) -> Tries:
    return Tries(BranchFolder(tmp_path / "branch"))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    monkeypatch.setattr(module, "POLL", 0.02)


@pytest.mark.parametrize("every", [1, 2, 5, 100])
def test_what_is_published_is_what_a_single_process_would_have_written(
    tries: Tries, whole: list[dict[str, str]], every: int
) -> None:
    folder = tries.begin()
    for count, act in enumerate(actions(), 1):
        act(folder)
        if count % every == 0:
            tries.publish()
            assert tree(tries.published) == whole[count]
    folder.log.write_text("printed\n")
    tries.close("done")
    assert tree(tries.published) == {**whole[-1], "log.txt": "printed\n"}
    assert [path.name for path in tries.published.path.glob("try-*")] == []


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_is_published_twice(tries: Tries, monkeypatch: pytest.MonkeyPatch, refused: bool) -> None:
    if refused:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no hard links here")))
    folder = tries.begin()
    for act in actions()[:-1]:
        act(folder)
    tries.publish()
    published = {path: path.stat() for path in tries.published.path.rglob("*") if "try-1" not in path.parts}
    assert published[tries.published.results].st_nlink == (1 if refused else 2)
    tries.publish()
    assert {path: path.stat() for path in tries.published.path.rglob("*") if "try-1" not in path.parts} == published


def test_half_a_line_is_published_when_it_is_whole(tries: Tries) -> None:
    folder = tries.begin()
    learn(1)(folder)
    with folder.metrics.open("a") as metrics:
        metrics.write('{"step"')
    tries.publish()
    assert tries.published.metrics.read_text() == '{"step": 1}\n'
    with folder.metrics.open("a") as metrics:
        metrics.write(': 2}\n{"st')
    tries.publish()
    assert tries.published.metrics.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_checkpoint_waits_for_the_lines_that_led_to_it(tries: Tries) -> None:
    """On a network file system a file may be seen before another that was written earlier."""
    folder = tries.begin()
    learn(1)(folder)
    learn(2)(folder)
    late = folder.metrics.read_bytes()
    save(2)(folder)
    folder.metrics.write_bytes(late[: len(late) // 2])
    tries.publish()
    assert not tries.published.checkpoints()
    folder.metrics.write_bytes(late)
    tries.publish()
    assert [each.path.name for each in tries.published.checkpoints()] == ["step-000002"]


class Killed(BaseException):
    """The process that publishes ends here."""


def killing(monkeypatch: pytest.MonkeyPatch, after: int) -> Callable[[], None]:
    """Have this process end before one of its changes to a file or folder; the function that ends this."""
    left = iter(range(after))

    def limited(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return change(*args, **kwargs)

        return changed

    context = pytest.MonkeyPatch()
    for owner, name in ((os, "link"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "write_bytes")):
        context.setattr(owner, name, limited(getattr(owner, name)))
    return context.undo


@pytest.mark.parametrize("done", [9, len(actions())])
def test_who_publishes_may_be_killed_at_any_moment(
    tries: Tries, whole: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    for after in range(0, 200, 2):
        folder = tries.begin()
        for act in resumed(folder)[:done]:
            act(folder)
        undo = killing(monkeypatch, after)
        try:
            tries.publish()
        except Killed:
            pass
        else:
            break
        finally:
            undo()
        again = Tries(tries.published)
        folder = again.begin()
        for act in resumed(folder):
            act(folder)
        again.close("done")
        assert tree(again.published) == whole[-1], f"killed before its change {after + 1}"
        for path in sorted(again.published.path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        tries = Tries(tries.published)
    assert after > done


def test_a_lost_try_is_followed_by_one_that_goes_on_from_what_is_published(
    tries: Tries, whole: list[dict[str, str]]
) -> None:
    first = tries.begin()
    for act in actions()[:9]:
        act(first)
    first.log.write_text(f"made {first.path / 'x'}\nthe process was killed by SIGKILL\n")
    second = tries.begin()
    assert (first.path.name, second.path.name, tries.begun) == ("try-1", "try-2", 2)
    assert tries.lost == "the process was killed by SIGKILL"
    assert not first.path.exists()
    assert [each.path.name for each in second.checkpoints()] == ["step-000004"]
    for act in resumed(second):
        act(second)
    tries.close("done")
    published = tree(tries.published)
    assert published.pop("log.txt").splitlines()[0] == f"made {tries.published.path / 'x'}"
    assert published == whole[-1]


STRAY = """
import sys, time
from pathlib import Path
folder = Path(sys.argv[1])
with (folder / "metrics.jsonl").open("a", buffering=1) as held:
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(100, 130):
        checkpoint = folder / "checkpoints" / f"step-{step:06d}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "state.json").write_text('{"step": 1, "lines": {}}')
        for log in (held, (folder / "metrics.jsonl").open("a"), (folder / "results.jsonl").open("w")):
            log.write(f'{{"step": {step}}}\\n')
            log.flush()
        (folder / "done.json").write_text('{"state": "done", "message": ""}')
        print(step, flush=True)
"""


def test_a_process_that_was_cut_off_changes_nothing(tries: Tries, whole: list[dict[str, str]]) -> None:
    first = tries.begin()
    for act in actions()[:7]:
        act(first)
    tries.publish()
    command = [sys.executable, "-c", STRAY, str(first.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stray:
        assert stray.stdout is not None and stray.stdin is not None
        stray.stdout.readline()
        second = tries.begin()
        stray.stdin.write("\n")
        stray.stdin.flush()
        for act in resumed(second):
            assert stray.stdout.readline().strip().isdecimal(), "it goes on"
            act(second)
            tries.publish()
            assert tree(tries.published) in [*whole, whole[6]]
        tries.close("done")
        stray.stdout.read()
    assert tree(tries.published) == whole[-1]
    # What it made anew after all was over is never read: the branch is done.
    again = Tries(tries.published)
    again.put_away()
    assert tree(again.published) == whole[-1]
    assert not again.published.tries()


def test_a_run_of_before_there_were_tries_goes_on(tries: Tries, whole: list[dict[str, str]]) -> None:
    tries.published.path.mkdir()
    for act in actions()[:9]:
        act(tries.published)
    with tries.published.metrics.open("a") as metrics:
        metrics.write('{"step')
    folder = tries.begin()
    for act in resumed(folder):
        act(folder)
    tries.close("done")
    assert tree(tries.published) == whole[-1]


def test_a_branch_that_failed_has_its_log_and_a_new_number_the_next_time(tries: Tries) -> None:
    folder = tries.begin()
    for act in actions()[:6]:
        act(folder)
    folder.log.write_text("ValueError: wrong\n")
    tries.close("failed")
    assert tries.published.log.read_text() == "ValueError: wrong\n"
    again = Tries(tries.published)
    assert again.begin().path.name == "try-2"
    assert again.published.log.read_text() == "ValueError: wrong\n"
    assert [each.path.name for each in again.published.tries()] == ["try-2"]


@pytest.mark.usefixtures("soon")
def test_the_end_of_a_branch_may_be_seen_late(tries: Tries, whole: list[dict[str, str]]) -> None:
    folder = tries.begin()
    for act in actions()[:-1]:
        act(folder)
    threading.Timer(0.2, end, [folder]).start()
    Publisher({"sft": tries}).publish({"sft": "done"})
    assert tree(tries.published) == whole[-1]


@pytest.mark.usefixtures("soon")
def test_an_end_that_is_never_seen_is_told(tries: Tries) -> None:
    folder = tries.begin()
    learn(1)(folder)
    Publisher({"sft": tries}).publish({"sft": "done"})
    assert tries.published.log.read_text() == (
        f"it ended well, but after 0 seconds {folder.done} is not to be seen; is the run folder on a file system that "
        "all machines share?\n"
    )


def test_only_branches_that_run_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = ["waits", "runs", "has failed", "was skipped", "is done", "was done"]
    states: dict[str, State] = dict(
        zip(titles, ["waiting", "running", "failed", "skipped", "done", "done"], strict=True)
    )
    tries = {title: Tries(BranchFolder(tmp_path / title)) for title in titles}
    looked: list[str] = []
    monkeypatch.setattr(Tries, "_publish", lambda self, _: looked.append(self.published.path.name))
    for title in ("runs", "has failed", "is done"):
        tries[title].begin()
    write_text(tries["is done"].published.done, "{}")
    publisher = Publisher(tries)
    publisher.publish(states)
    assert looked == ["has failed", "is done", "runs"]
    publisher.publish(states)
    assert looked == ["has failed", "is done", "runs"], "not more often than twice a second"
