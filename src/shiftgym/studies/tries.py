"""The tries of a branch. Every process that is started for it writes to a folder of its own, and only the process that
carries out the study publishes what counts, in the branch's folder. So one that was given up as lost but goes on, on a
machine that is cut off, cannot spoil the run.

At any moment, what is published is what a single process could have left that was killed. That is all that the next
try, or a resumed study, has to understand.
"""

import errno
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from shiftgym.engines.base import State
from shiftgym.files import link_file, link_folder, read_json, read_lines, replacing
from shiftgym.following.logs import cause
from shiftgym.layout import BranchFolder, CheckpointFolder

PATIENCE = 120.0
"""Seconds within which this machine sees what another one wrote, on a network file system."""

POLL = 0.5
"""Seconds between two looks at the branches that run."""

LATER = (errno.ENOENT, errno.ESTALE)
"""Errors about a file that was just replaced, or is still to appear. The next look finds it."""

Version = tuple[int, int]
"""Inode and bytes of a file, which tell whether there is anything new in it."""


class Tries:
    """The tries of one branch, and what is published of them."""

    def __init__(self, published: BranchFolder) -> None:
        self.published = published
        self.current: BranchFolder | None = None
        """The folder of the process that runs; None before the first one and after the last."""
        self.begun = 0
        """How many processes this one has started."""
        self.lost = ""
        """The last words of the one that was lost last."""
        self._versions: dict[Path, Version] = {}
        """File of the current try -> what is published of it."""

    def begin(self) -> BranchFolder:
        """The folder of a new try, which goes on from what is published: the logs, the results, and the last
        checkpoint. The folders of earlier tries are removed."""
        if self.current is not None:
            _see_anew(self.current)
            self.publish()
            self.lost = cause(self.current.log)
        folder = self.published.next_try()
        folder.path.mkdir(parents=True)
        self._versions = {}
        for log in self.published.logs:
            if log.is_file():
                # A copy, since a log is added to in place.
                copy = self._of(folder, log)
                shutil.copyfile(log, copy)
                self._versions[copy] = _version(copy.stat())
        for file in _replaced(self.published):
            if file.is_file():
                link_file(file, self._of(folder, file))
                self._versions[self._of(folder, file)] = _version(self._of(folder, file).stat())
        for checkpoint in self._resumable()[-1:]:
            copy = self._of(folder, checkpoint.path)
            link_folder(checkpoint.path, copy)
            self._versions[copy] = _version(copy.stat())
        self.current = folder
        self.begun += 1
        self.put_away(but=folder)
        return folder

    def publish(self) -> None:
        """Publish what is new and whole in the current try, if there is one."""
        if self.current is None:
            return
        try:
            self._publish(self.current)
        except OSError as error:
            if error.errno not in LATER:
                raise

    def close(self, state: State) -> None:
        """Publish the rest, now that the last process has ended. If all went well, its folder is removed."""
        assert self.current is not None
        last, until = self.current, time.monotonic() + PATIENCE
        _see_anew(last)
        self.publish()
        while state == "done" and not self.published.done.is_file() and time.monotonic() < until:
            time.sleep(POLL)
            _see_anew(last)
            self.publish()
        self.current = None
        # Of thousands of branches that have ended this would fill the memory.
        self._versions = {}
        if self.published.done.is_file():
            self.put_away()
            return
        self._keep_log(last)
        if state == "done":
            with self.published.log.open("a", encoding="utf-8") as log:
                log.write(
                    f"it ended well, but after {PATIENCE:.0f} seconds {last.done} is not to be seen; "
                    "is the run folder on a file system that all machines share?\n"
                )

    def put_away(self, *, but: BranchFolder | None = None) -> None:
        """Remove the folders of all tries, except one. What they printed is kept. A process that was cut off may make
        its folder again, and nobody reads it."""
        for folder in self.published.tries():
            if but is None or folder.path != but.path:
                self._keep_log(folder)
                shutil.rmtree(folder.path, ignore_errors=True)

    def _publish(self, folder: BranchFolder) -> None:
        """What is entered first is left last: all is published in the opposite order to that in which it is taken.

        A process writes its logs, a checkpoint, results, then the next checkpoint, and at last how it ended. So with a
        checkpoint there must be the results of those before it, and with the end everything.
        """
        versions: dict[Path, Version] = {}
        there = set(folder.path.iterdir())
        with ExitStack() as published:
            if folder.done in there and folder.done not in self._versions:
                versions[folder.done] = _version(folder.done.stat())
                link_file(folder.done, published.enter_context(replacing(self.published.done)))
            new = [each for each in folder.checkpoints() if each.path not in self._versions]
            for checkpoint in reversed(new):
                versions[checkpoint.path] = _version(checkpoint.path.stat())
                if not self._out(checkpoint.path).exists():
                    published.callback(self._drop_optimizers)
                    link_folder(checkpoint.path, published.enter_context(replacing(self._out(checkpoint.path))))
            for file in _replaced(folder):
                if file in there and (version := _version(file.stat())) != self._versions.get(file):
                    versions[file] = version
                    link_file(file, published.enter_context(replacing(self._out(file))))
            for log in folder.logs:
                if log in there:
                    self._publish_log(log)
            if new:
                self._check_complete(folder, new[-1])
        self._versions |= versions

    def _publish_log(self, log: Path) -> None:
        """Add the new whole lines of a log to the published one. If it was cut back to a checkpoint, which makes
        another file of it, the published one is replaced."""
        # A file is never found older than it is by one who opens it, while its name may be, on a network file system.
        with log.open("rb") as file:
            inode, size = _version(os.fstat(file.fileno()))
            before, done = self._versions.get(log, (0, 0))
            if (inode, size) == (before, done):
                return
            goes_on = inode == before and size > done
            file.seek(done if goes_on else 0)
            text = file.read()
        whole, published = text[: text.rfind(b"\n") + 1], self._out(log)
        if goes_on:
            with published.open("ab") as out:
                out.write(whole)
        else:
            with replacing(published) as out:
                out.write_bytes(whole)
        self._versions[log] = (inode, (done if goes_on else 0) + len(whole))

    def _check_complete(self, folder: BranchFolder, latest: CheckpointFolder) -> None:
        """OSError if what was written before the latest checkpoint is not all to be seen yet."""
        lines = read_json(latest.state)["lines"]
        short = [log for log in self.published.logs if _lines(log) < lines.get(log.name, 0)]
        evaluated = {row["step"] for row in read_lines(folder.results)}
        earlier = [read_json(each.state)["step"] for each in folder.checkpoints() if each.path != latest.path]
        if short or not evaluated.issuperset(earlier):
            raise OSError(errno.ESTALE, f"what led to {latest.path} is still to appear")

    def _resumable(self) -> list[CheckpointFolder]:
        """The published checkpoints that training can go on from. The latest is not one of them if it was published
        together with a later one, and this process was killed before that one's turn."""
        return [each for each in self.published.checkpoints() if each.optimizer.is_file()]

    def _drop_optimizers(self) -> None:
        """The state of the optimizer is kept for one checkpoint only."""
        for checkpoint in self._resumable()[:-1]:
            checkpoint.optimizer.unlink(missing_ok=True)

    def _keep_log(self, folder: BranchFolder) -> None:
        """Add what a process printed to the log of its branch."""
        if folder.log.is_file():
            text = folder.log.read_text(encoding="utf-8", errors="replace")
            with self.published.log.open("a", encoding="utf-8") as log:
                log.write(text.replace(str(folder.path), str(self.published.path)))
            folder.log.unlink()

    def _of(self, folder: BranchFolder, published: Path) -> Path:
        """Where a published file or folder lies in a try."""
        return folder.path / published.relative_to(self.published.path)

    def _out(self, path: Path) -> Path:
        """Where a file or folder of the current try is published."""
        assert self.current is not None
        return self.published.path / path.relative_to(self.current.path)


class Publisher:
    """Publishes the branches of a run while they go on.

    Args:
        tries: by the name of each job.
    """

    def __init__(self, tries: Mapping[str, Tries]) -> None:
        self._tries = tries
        self._next = 0.0

    def publish(self, states: Mapping[str, State]) -> None:
        """To be called with the states of all jobs whenever one has changed, and about twice a second."""
        going = [
            (self._tries[title], state) for title, state in states.items() if self._tries[title].current is not None
        ]
        for tries, state in going:
            if state in ("done", "failed"):
                tries.close(state)
        if time.monotonic() < self._next:
            return
        for tries, _ in going:
            tries.publish()
        self._next = time.monotonic() + POLL


def _replaced(folder: BranchFolder) -> tuple[Path, ...]:
    """The files that are written again as a whole with each evaluation; the one written last comes first."""
    return (folder.results, folder.evaluation_episodes, folder.probes)


def _see_anew(folder: BranchFolder) -> None:
    """Have a network file system list the folders of a try anew, as it does where something was changed from here. What
    it remembers of them may be a minute old."""
    for path in (folder.path, folder.checkpoint(0).path.parent):
        if path.is_dir():
            mark = path / ".seen"
            mark.touch()
            mark.unlink()


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.is_file() else 0


def _version(found: os.stat_result) -> Version:
    return found.st_ino, found.st_size
