"""Rules of our own for generators whose scorer evaluates the answer as code, prints while it judges, or takes an answer
that has something else beside it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
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


_FRACTION = re.compile(r"\$?\s*(?:([0-9]+)\s*/\s*([0-9]+)|\\d?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\})\s*\$?")


def is_lowest_fraction(answer: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the answer is the simplified fraction, as `2/3` or as LaTeX, and nothing else."""
    fraction = _FRACTION.fullmatch(answer)
    if fraction is None:
        return False
    numerator, denominator = (int(number) for number in fraction.groups() if number is not None)
    return (numerator, denominator) == (metadata["simplified_numerator"], metadata["simplified_denominator"])


def fills_kakurasu(answer: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the answer is a grid of 0 and 1, a line a row, with blanks or commas between them or nothing, whose
    weighted sums are those asked for."""
    rows = [re.sub(r"[\s,]", "", line) for line in answer.splitlines()]
    width = len(metadata["col_sums"])
    if any(len(row) != width or set(row) - {"0", "1"} for row in rows):
        return False
    sums = [_weights(row) for row in rows], [_weights(column) for column in zip(*rows, strict=True)]
    return sums == (metadata["row_sums"], metadata["col_sums"])


def _weights(cells: Iterable[str]) -> int:
    """The sum of the places, from 1, of the cells with a 1."""
    return sum(place for place, cell in enumerate(cells, start=1) if cell == "1")


def names_roles(answer: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the answer says of every inhabitant once who is what, in any order, and nothing else, as in `Ann is a
    knight, and Ben is a knave.`"""
    roles = metadata["knight_knave_terms"]
    people = zip(metadata["names"], metadata["solution"], strict=False)
    right = [f"{name} is {roles['a_knight' if truthful else 'a_knave']}".lower() for name, truthful in people]
    return sorted(_BETWEEN.split(" ".join(answer.lower().removesuffix(".").split()))) == sorted(right)


_BETWEEN = re.compile(r",? and |, ")


def sorts_words(answer: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the answer is the sorted words, with commas between them, and nothing else."""
    return bool([word.strip() for word in answer.split(",")] == metadata["sorted_words"])


RULES: dict[str, Callable[[str, Mapping[str, Any]], bool]] = {
    "countdown": makes_target,
    "fraction_simplification": is_lowest_fraction,
    "kakurasu": fills_kakurasu,
    "knights_knaves": names_roles,
    "tower_of_hanoi": moves_tower,
    "word_sorting": sorts_words,
}
"""Generator -> whether an answer is right, given the metadata that its judge reads."""
