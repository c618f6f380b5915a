"""Milliseconds a street picture (four views), of each city at each size.

    OMP_NUM_THREADS=1 python benchmarks/streets_bench.py [--pictures 40]

Half of the pictures are intersections, and each has a sign of another name. Textures that are painted once for each
city are made before the clock starts. Seconds are those of the processor, so that other programs disturb little.
"""

import argparse
import time
from statistics import fmean

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.directions import SPATIAL
from shiftgym.tasks.navigation.streetview.styles import STYLES
from shiftgym.tasks.navigation.streetview.view import StreetPicture
from shiftgym.tasks.navigation.world.city import KINDS, NAMES

PROMISED = {128: 15.0, 192: 15.0, 448: 30.0}
"""Milliseconds at each size, in pixels of the whole picture."""
EXITS = ((0, 180), (0, 90, 180, 270), (0, 180), (90, 180, 225))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=40, help="of each city at each size")
    options = parser.parse_args()
    print(f"{'city':<16}" + "".join(f"{f'{size} px':>10}" for size in PROMISED) + "   (ms a picture)")
    columns: dict[int, list[float]] = {size: [] for size in PROMISED}
    for city in STYLES:
        for size, means in columns.items():
            means.append(milliseconds(city, size, options.pictures))
        print(f"{city:<16}" + "".join(f"{means[-1]:>10.1f}" for means in columns.values()))
    print(f"{'slowest':<16}" + "".join(f"{max(means):>10.1f}" for means in columns.values()))
    print(f"{'promised':<16}" + "".join(f"{limit:>10.1f}" for limit in PROMISED.values()))
    return 0 if all(max(means) < PROMISED[size] for size, means in columns.items()) else 1


def milliseconds(city: str, size: int, count: int) -> float:
    """The mean of `count` pictures."""
    stream = rng(0, "benchmark", city, size)
    pictures = []
    for seed in range(count):
        name = stream.choice(KINDS).format(stream.choice(NAMES))
        pictures.append(StreetPicture(city, EXITS[seed % len(EXITS)], (name, stream.choice(SPATIAL)), size, seed))
    StreetPicture(city, EXITS[0], None, size, count).draw()
    seconds = []
    for picture in pictures:
        start = time.process_time()
        picture.draw()
        seconds.append(time.process_time() - start)
    return 1000 * fmean(seconds)


if __name__ == "__main__":
    raise SystemExit(main())
