"""Milliseconds for the picture of a hand of four, for every card design, without and with nuisance.

    OMP_NUM_THREADS=1 python benchmarks/cards_bench.py [--hands 300]

Hands are dealt from the full deck, each with its own seed, and drawn twice: `first` paints the card faces too; for
`then` they are cached, as for all but the first hands of a study. Seconds are those of the processor. The target with
nuisance is 2 ms for a hand of up to 224 pixels.
"""

import argparse
import time

from shiftgym.seeds import rng
from shiftgym.tasks.points.deck import deal
from shiftgym.tasks.points.faces import DESIGNS, face
from shiftgym.tasks.points.picture import HandPicture

SIZES = (128, 224, 448)
PROMISED = {128: 2.0, 224: 2.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hands", type=int, default=300)
    options = parser.parse_args()
    hands = [deal(rng(0, "benchmark", index), 4, "mixed") for index in range(options.hands)]
    late = False
    for design in DESIGNS:
        for nuisance in (0.0, 1.0):
            for size in SIZES:
                pictures = [
                    HandPicture(tuple([(card.rank, card.suit) for card in hand]), design, nuisance, size, seed)
                    for seed, hand in enumerate(hands)
                ]
                face.cache_clear()
                first, then = milliseconds(pictures), milliseconds(pictures)
                late |= then > PROMISED.get(size, float("inf"))
                print(f"{design:<12}nuisance {nuisance:.0f}  size {size}   first {first:6.2f} ms   then {then:6.2f} ms")
    print(f"promised up to 224 pixels: {'BELOW' if late else 'PASS'}")
    return int(late)


def milliseconds(pictures: list[HandPicture]) -> float:
    """For one picture."""
    start = time.process_time()
    for picture in pictures:
        picture.draw()
    return (time.process_time() - start) / len(pictures) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
