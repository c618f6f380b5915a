"""A candidate of a comparison as it is followed: which of its checkpoints have answered, and how."""

from collections.abc import Iterator
from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.following.answers import Answers
from shiftgym.following.branch import BranchReader
from shiftgym.following.declaration import BranchInfo, ComparisonDeclaration
from shiftgym.following.driver import Standing
from shiftgym.following.followed import LOG, Followed
from shiftgym.following.lines import has_links, tail
from shiftgym.layout import RunFolder, candidate_title


class FollowedCandidate(Followed):
    """A candidate. It is asked, not trained, so it has no curve, and its fraction counts answers."""

    def __init__(self, declared: ComparisonDeclaration, info: BranchInfo, seed: int) -> None:
        super().__init__(declared, info, seed)
        self._asked = declared.checkpoints(info.name)
        several = len(self._asked) > 1
        self._titles = [candidate_title(info.label, each["step"], several=several) for each in self._asked]
        self._begin()

    def _begin(self) -> None:
        run, key = RunFolder(self._declared.folder), self.info.name
        self._readers = [BranchReader(run.candidate(key, each["step"])) for each in self._asked]
        self._answered = 0

    @property
    def is_over(self) -> bool:
        # One that was given as an object answers anew each time.
        return False

    def open(self) -> None:
        self._last = {}

    def stand(self, standing: Standing, alive: bool) -> None:
        run = self._declared.folder
        self._is_link = any(has_links(reader.published.path, run) for reader in self._readers)
        if self._is_link:
            self._problem = "a folder of it is a link, which is not followed"
            return
        try:
            ended = [reader.done() is not None for reader in self._readers]
        except DataError as error:
            self._problem, ended = str(error), [False]
        said = [standing.states.get(title) for title in self._titles]
        failed = [
            reader
            for reader, is_done, state in zip(self._readers, ended, said, strict=False)
            if state == "failed" and not is_done
        ]
        self.training = sum(standing.seconds.get(title, 0.0) for title in self._titles)
        self.log = tail(failed[0].published.log, LOG) if failed else ""
        if all(ended):
            self.state = "done"
        elif failed:
            self.state = "failed"
        elif any(reader.has_begun() for reader in self._readers):
            self.state = "running" if alive else "interrupted"
        else:
            self.state = "waiting"

    def read(self, answers: Answers) -> None:
        if self._is_link:
            self.more = False
            return
        found = [reader.new_rows() for reader in self._readers]
        if any(rows.anew for rows in found):
            answers.drop(self.info.name, self.seed)
            self._begin()
            self.more = True
            return
        last = self._asked[-1]["step"]
        for asked, rows in zip(self._asked, found, strict=True):
            # The rows may say where the checkpoint stood before later ones joined it.
            place = {
                "step": asked["step"],
                "fraction": asked["step"] / last if last else 1.0,
                "flops": asked.get("flops", 0.0),
                "flops_paper": 0.0,
            }
            answers.add(self.info.name, self.seed, [row | place for row in rows.records])
            self._answered += len(rows.records)
        self.more = any(rows.more for rows in found)
        spent = answers.spent(self.info.name, self.seed)
        self._step = spent._asdict() if spent else {}
        self._last = answers.last(self.info.name, self.seed)

    @property
    def fraction(self) -> float:
        declared = self._declared
        asked = len(self._asked) * len(declared.splits) * len(declared.decodings) * declared.problems
        return 1.0 if self.state == "done" else min(1.0, self._answered / asked)

    @property
    def checkpoints(self) -> int:
        # Its answers are all of its work, so none of it comes on top.
        return 0

    def seconds(self, standing: Standing) -> float:
        return self.training

    @property
    def episodes(self) -> Iterator[tuple[Path, Path]]:
        for reader in [] if self._is_link else self._readers:
            yield reader.published.path, reader.newest(lambda folder: folder.evaluation_episodes)
