"""How much the difference of a branch and the start varies between seeds and between problems, from a finished run.

    python scripts/spreads.py RUN [--measure success] [--decoding sampled]

Prints, for every split and every branch at the end of its budget minus the start, the spreads of seeds, of problems and
of what is left, and the smallest difference that the run can tell from zero, all in percentage points. The last line of
a split is the root of the mean variances: what `PLANNED` in `evaluation/power.py` holds for points-text.
"""

import argparse
from dataclasses import astuple
from pathlib import Path

import numpy as np

from shiftgym.evaluation.measures import require_measure
from shiftgym.evaluation.power import detectable_difference, spreads
from shiftgym.evaluation.rows import Cube, read_rows

START = "init"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--measure", default="success", type=lambda name: require_measure(name).name)
    parser.add_argument("--decoding", default="sampled", choices=("sampled", "greedy"))
    options = parser.parse_args()
    cube = Cube.of(read_rows([options.run / "results.jsonl"]))
    for split in cube.splits:
        print(f"{split:<24}seeds  problems   rest   detectable")
        found = []
        for branch in cube.branches:
            if branch == START:
                continue
            a, b = (
                cube.answers(options.measure, name, cube.checkpoints(name)[-1], split, options.decoding)
                for name in (branch, START)
            )
            found.append(astuple(spreads(a, b)))
            show(branch, (*found[-1], detectable_difference(*a.shape, spreads=spreads(a, b))))
        show("root mean square", np.sqrt(np.mean(np.square(found), axis=0)))


def show(name: str, shares: object) -> None:
    print(f"  {name:<20}" + "".join(f"{100 * share:8.1f}" for share in np.asarray(shares)))


if __name__ == "__main__":
    main()
