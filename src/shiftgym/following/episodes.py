"""Episodes and problems as a page shows them."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Strict, StrictBool, StrictInt, StrictStr, TypeAdapter
from typing_extensions import TypedDict

from shiftgym.errors import DataError
from shiftgym.following.board import Board
from shiftgym.following.declaration import Declaration
from shiftgym.following.lines import finite, last_lines, parsed
from shiftgym.layout import branch_title
from shiftgym.messages import data_url
from shiftgym.tasks.base import Drawn
from shiftgym.tasks.walk import decisions

NEWEST = 200
"""Episodes of a run that are shown while it goes on."""

ROOM = 1 << 25
"""Bytes that these may take in their files; of longer ones fewer are shown."""

Number = Annotated[float, Strict()] | None


class Shown(TypedDict):
    """The value of an episode in section `episodes`."""

    branch: StrictStr
    seed: StrictInt
    checkpoint: str
    step: StrictInt
    split: StrictStr
    decoding: StrictStr
    problem: StrictInt
    success: StrictBool | Number
    reward: Number
    decisions: list[list[tuple[StrictStr, StrictStr, Number, StrictStr, StrictInt, StrictStr]]]


_SHOWN = TypeAdapter(Shown)


def entry(declared: Declaration, record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Key and value of an episode in section `episodes`, from its line of evaluation_episodes.jsonl.

    Raises:
        DataError: the line holds something else.
    """
    try:
        shown = _shown(declared, record)
        _SHOWN.validate_python(shown)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise DataError(f"{declared.folder}: there is an episode that is none of a run") from error
    place = [branch_title(record["branch"], record["seed"]), record["step"], record["split"], record["decoding"]]
    return "|".join(map(str, [*place, shown["problem"]])), shown


def _shown(declared: Declaration, record: dict[str, Any]) -> dict[str, Any]:
    problem = record["problem"]["index"]
    return {
        "branch": record["branch"],
        "seed": record["seed"],
        "checkpoint": declared.checkpoint(record["branch"], record["fraction"]),
        "step": record["step"],
        "split": record["split"],
        "decoding": record["decoding"],
        "problem": problem,
        "success": record["success"],
        "reward": record["reward"],
        "decisions": [
            [
                [one["answer"], one["outcome"], one["reward"], one["feedback"], one["tokens"], one["stop"]]
                for one in decision["attempts"]
            ]
            for decision in record["decisions"]
        ],
    }


def problem(declared: Declaration, split: str, index: int) -> dict[str, Any]:
    """The value of a problem in section `problems`: `prompts`, the text of each decision; `pictures`, those of each
    decision as data URLs, drawn again, as the record of an episode only says what they were; and `map`, an SVG of a
    task that draws its problems, else None.

    Raises:
        DataError: the run evaluates no such problem.
    """
    if split not in declared.splits or not 0 <= index < declared.problems:
        raise DataError(f"{declared.folder}: has no problem {index} of {split!r}; a split has {declared.problems}")
    task = declared.task
    of = task.problem(split, index)
    prompts = [decision.prompt for decision in decisions(task, of)]
    return {
        "prompts": ["\n\n".join(message["content"] for message in prompt) for prompt in prompts],
        "pictures": [
            [data_url(picture) for message in prompt for picture in message.get("pictures", ())] for prompt in prompts
        ],
        "map": task.figure(of, {}) if isinstance(task, Drawn) else None,
    }


class NewestEpisodes:
    """Keeps the newest episodes of a run on its board, in the order in which they came. Only the ends of files are
    read: of a branch that is seen for the first time, its last checkpoint."""

    def __init__(self, declared: Declaration, board: Board) -> None:
        self._declared, self._board = declared, board
        self._seen: dict[Path, tuple[int, int]] = {}
        """Folder -> inode and bytes of its file."""
        self._last: dict[Path, bytes] = {}
        """Folder -> the last line that was read."""
        self._shown: deque[tuple[str, int]] = deque()
        """Key and bytes of what is on the board, oldest first."""

    def look(self, files: Iterable[tuple[Path, Path]]) -> None:
        """Take what is new.

        Args:
            files: folder of a branch or of a candidate's checkpoint, and where its newest evaluation_episodes.jsonl
                lies, if it is there at all.
        """
        changed = []
        for folder, path in files:
            try:
                status = path.lstat()
            except OSError:
                continue
            if self._seen.get(folder) != (version := (status.st_ino, status.st_size)):
                self._seen[folder] = version
                changed.append((status.st_mtime, folder, path))
        new: list[tuple[dict[str, Any], int]] = []
        for _, folder, path in sorted(changed, reverse=True):
            if len(new) < NEWEST and sum(size for _, size in new) < ROOM:
                new = [*self._new(folder, path), *new]
        for record, size in new[-NEWEST:]:
            try:
                key, shown = entry(self._declared, finite(record))
            except DataError:
                # A folder that came from elsewhere may hold anything.
                continue
            if self._board.get("episodes", key) is None:
                self._shown.append((key, size))
            self._board.put("episodes", key, shown)
        while len(self._shown) > NEWEST or sum(size for _, size in self._shown) > ROOM:
            self._board.put("episodes", self._shown.popleft()[0], None)

    def _new(self, folder: Path, path: Path) -> list[tuple[dict[str, Any], int]]:
        """The new records of one file with their bytes, oldest first."""
        lines = last_lines(path, NEWEST)
        before = self._last.get(folder)
        if before in lines:
            lines = lines[lines.index(before) + 1 :]
        found = ((parsed(line), len(line)) for line in lines)
        records = [(record, size) for record, size in found if record is not None and "step" in record]
        if not records:
            return []
        self._last[folder] = lines[-1]
        last = records[-1][0]["step"]
        return records if before is not None else [one for one in records if one[0]["step"] == last]
