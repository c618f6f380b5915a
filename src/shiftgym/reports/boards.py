"""The tables of values that a report carries: those of the live page, small enough to open on a phone."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from markupsafe import Markup

from shiftgym.following import episodes
from shiftgym.following.board import Patch
from shiftgym.following.follower import whole_board
from shiftgym.following.lines import finite
from shiftgym.reports.analysis import Analysis

ROOM = {"success": 1_000_000, "curves": 700_000}
"""Bytes that the lines of a report may take in all; beyond that the last ones are left out."""


class Carried(NamedTuple):
    """The table of one run."""

    patch: Patch
    left_out: Counter[str]
    """Section -> how many of its entries were left out for size."""


def embedded(value: Any) -> Markup:
    """JSON for a script element: no character in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def size(value: Any) -> int:
    """Bytes that a value takes in the page."""
    return len(embedded(value).encode())


def carried(analysis: Analysis, share: int) -> Carried:
    """The table of a single run without its episodes. Lines that have no room are left out.

    Args:
        share: of how many runs the page carries the tables.
    """
    patch = whole_board(analysis.first.folder).since()
    views = [view for view in patch["run"]["head"]["views"] if view["primary"]]
    primary = {(view["split"], view["decoding"], view["measure"]) for view in views}
    drawn = {branch.name for branch in analysis.drawn}

    def matters_less(key: str, of: dict[str, Any]) -> tuple[bool, bool]:
        """What the report says most about comes first: primary measures, and the branches that figures show."""
        if "measure" in of:
            return (of["split"], of["decoding"], of["measure"]) not in primary, of["branch"] not in drawn
        return False, patch["branches"][key]["branch"] not in drawn

    left_out: Counter[str] = Counter()
    for section, room in ROOM.items():
        entries = sorted(patch.get(section, {}).items(), key=lambda entry: matters_less(*entry))
        patch[section] = dict(_within(entries, room // share))
        left_out[section] = len(entries) - len(patch[section])
    return Carried(patch, left_out)


def add_episodes(to: Carried, analysis: Analysis, room: int) -> None:
    """Add the episodes of a run, with their problems, that fit into some bytes: whole problems, and where there is no
    room for all, those of the first seeds."""
    run = analysis.first
    shown: dict[str, Any] = {}
    problems: dict[str, Any] = {}
    for group in _by_problem(run.episodes(analysis.drawn)):
        if room < 0:
            to.left_out["episodes"] += len(group)
            continue
        entries = dict(episodes.entry(run, finite(record)) for record in group)
        places = dict.fromkeys((record["split"], record["problem"]["index"]) for record in group)
        fresh = {
            f"{split}|{index}": episodes.problem(run, split, index)
            for split, index in places
            if f"{split}|{index}" not in problems
        }
        room -= size(entries) + size(fresh)
        if room < 0:
            to.left_out["episodes"] += len(group)
            continue
        shown |= entries
        problems |= fresh
    to.patch["episodes"], to.patch["problems"] = shown, problems


def _within(entries: Iterable[tuple[str, Any]], room: int) -> Iterator[tuple[str, Any]]:
    """The first entries of a section, as many as fit into some bytes."""
    for key, value in entries:
        room -= size({key: value})
        if room < 0:
            return
        yield key, value


def _by_problem(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The episodes of each seed and problem, from episodes that come seed by seed: no more than one seed's are held."""

    def index(record: dict[str, Any]) -> int:
        return int(record["problem"]["index"])

    for _, of_seed in itertools.groupby(records, key=lambda record: record["seed"]):
        for _, group in itertools.groupby(sorted(of_seed, key=index), key=index):
            yield list(group)
