"""Which problems a step trains on. Every recipe of a seed sees them in the same order."""

from collections.abc import Iterator

from shiftgym import seeds


def training_order(seed: int, split: str, problems: int | None, start: int, count: int) -> Iterator[int]:
    """Indices of the problems number `start` to `start + count - 1` of a training run.

    Args:
        problems: size of the training set, put into a new order each epoch; None: every index once, in order.
    """
    order: list[int] = []
    epoch = -1
    for position in range(start, start + count):
        if problems is None:
            yield position
            continue
        if position // problems != epoch:
            epoch = position // problems
            order = seeds.rng(seed, "train", "order", split, epoch).sample(range(problems), problems)
        yield order[position % problems]
