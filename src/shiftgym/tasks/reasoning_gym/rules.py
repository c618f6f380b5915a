"""Rules of our own for generators whose scorer evaluates the answer as code, or prints while it judges."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from shiftgym.tasks.points.grammar import IllegalFormula, parse


def makes_target(answer: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the answer is a formula of the points grammar, without `=`, that uses every number exactly once and
    equals the target, exactly."""
    try:
        formula = parse(answer)
    except IllegalFormula:
        return False
    uses_all = sorted(formula.numbers) == sorted(metadata["numbers"])
    return uses_all and formula.claim is None and formula.value() == (metadata["target"], 1)


_MOVE = re.compile(r"Move disk ([0-9]{1,4}) from Peg ([0-9]{1,4}) to Peg ([0-9]{1,4})")


def moves_tower(answer: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the answer is a line for each move, no move puts a disk on a smaller one, the whole tower ends on the
    target, and there are no more moves than in the known solution."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if not metadata["num_disks"] <= len(lines) <= metadata["solution_length"]:
        return False
    whole = list(range(metadata["num_disks"], 0, -1))
    pegs: defaultdict[int, list[int]] = defaultdict(list, {metadata["start_peg"]: list(whole)})
    for line in lines:
        move = _MOVE.fullmatch(line)
        if move is None:
            return False
        disk, source, target = map(int, move.groups())
        if not 1 <= target <= metadata["num_pegs"] or pegs[source][-1:] != [disk]:
            return False
        if pegs[target] and pegs[target][-1] < disk:
            return False
        pegs[target].append(pegs[source].pop())
    return pegs[metadata["target_peg"]] == whole


RULES: dict[str, Callable[[str, Mapping[str, Any]], bool]] = {"countdown": makes_target, "tower_of_hanoi": moves_tower}
"""Generator -> whether an answer is right, given the metadata that its judge reads."""
