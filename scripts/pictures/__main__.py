"""Draws the pictures of the documentation into docs/figures.

    python -m scripts.pictures                        the episodes, the looks and the architecture; a minute of one core
    python -m scripts.pictures architecture           only what is named
    python -m scripts.pictures RUN rule_ood           what the branches of a run gained at home and under the shift

Episodes are real ones: shipped backbones play them again, and the same words come out.
"""

import sys
from pathlib import Path

from scripts.pictures import architecture, looks, navigation_episode, points_episode, trajectory
from scripts.pictures.drawing import still

from shiftgym.reports.load import load_run

FIGURES = Path(__file__).parents[2] / "docs" / "figures"

PICTURES = {
    "episode-points": points_episode.draw,
    "episode-navigation": navigation_episode.draw,
    "looks-points": looks.points,
    "looks-navigation": looks.navigation,
    "architecture": architecture.draw,
}


def main(arguments: list[str]) -> None:
    if arguments and Path(arguments[0]).is_dir():
        folder, split = Path(arguments[0]), arguments[1]
        study = load_run(folder).study["name"]
        drawn = {f"trajectory-{study}-{split}": trajectory.draw(folder, split)}
    else:
        drawn = {name: PICTURES[name]() for name in arguments or PICTURES}
        drawn |= {f"{name}-still": still(svg) for name, svg in drawn.items() if "@keyframes" in svg}
    for name, svg in drawn.items():
        path = FIGURES / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        print(f"{path}: {len(svg) / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
