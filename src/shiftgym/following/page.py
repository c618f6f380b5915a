"""Pages of runs as HTML texts, and the files that they load. The report takes its live sections from the same parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

TEMPLATES = Path(__file__).parent / "templates"

SERIES = ("#bf5300", "#0072b2", "#008059", "#a8447f", "#8a6700", "#46768f", "#6b6b6b")
"""Colours of the branches on a light page, after Okabe and Ito, dark enough for text (WCAG AA)."""
SERIES_ON_DARK = ("#ff9447", "#5db4f2", "#3fcf9f", "#ea9bcb", "#e3bb4a", "#a9c9da", "#b4b4b4")
"""The same on a dark page."""

_COMMON = ("words.js", "elements.js", "theme.js")
_BOARD = ("board.js", "scale.js", "reader.js", "chart.js", "branches.js", "success.js")
RUN_SCRIPTS = (
    *_COMMON,
    *_BOARD,
    *("progress.js", "curves.js", "problem.js", "episodes.js", "summary.js", "changes.js", "stream.js", "run.js"),
)
"""What the page of a run loads, in this order. A script uses names of those before it."""
RUNS_SCRIPTS = (*_COMMON, "runs.js")
COMPARE_SCRIPTS = (*_COMMON, *_BOARD, "compare.js")


class Success(NamedTuple):
    """What a branch has reached in the end."""

    branch: str
    """Its label."""
    split: str
    value: float
    """By the primary measure, over the seeds that have ended, as a share."""


class RunRow(NamedTuple):
    """A run in the list of runs."""

    name: str
    title: str
    """Of a run that is broken: why."""
    state: str
    """`running`, `done`, `failed` (it has ended, and a branch has failed), `interrupted`, `waiting` (for its turn in a
    suite), `broken`, or `unread` so far."""
    began: str | None = None
    """When it was started or resumed last, as ISO text."""
    done: int = 0
    """Branches that have ended; of a comparison, models that have answered at a checkpoint."""
    all: int = 0
    home: Sequence[Success] = ()
    """At home, of the branches that the study is about: the supervised and the reinforced one, else the last one."""
    shifted: Sequence[Success] = ()
    """Of the same branches, on every shifted split."""


def environment(*loaders: jinja2.BaseLoader) -> jinja2.Environment:
    """Templates of this room and of others: all that enters them is escaped."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([*loaders, jinja2.FileSystemLoader(TEMPLATES)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def run_page(name: str, *, several: bool) -> str:
    """The page at `run/NAME/` that follows a run. `several`: there is a list of runs to go back to."""
    return _render("page.html.j2", root="../../", scripts=RUN_SCRIPTS, name=name, several=several)


def runs_page(runs: Sequence[RunRow], folder: str) -> str:
    """The list of runs in a folder, in the order in which they are given."""
    return _render("runs.html.j2", root="./", scripts=RUNS_SCRIPTS, runs=runs, folder=folder)


def compare_page(names: Sequence[str]) -> str:
    """The page at `compare` that shows some runs over one another."""
    return _render("compare.html.j2", root="./", scripts=COMPARE_SCRIPTS, names=names)


def message_page(title: str, message: str, root: str, *, token: bool = False) -> str:
    """One sentence, as of an error. `root`: relative URL of the list of runs; `token`: ask for the server's token."""
    return _render("message.html.j2", root=root, scripts=_COMMON, title=title, message=message, token=token)


def stylesheet() -> str:
    """The rules of every page, colours first."""
    light, dark = (
        " ".join(f"--series-{number}: {colour};" for number, colour in enumerate(colours))
        for colours in (SERIES, SERIES_ON_DARK)
    )
    return "\n".join(
        [
            f":root {{ {light} }}",
            f'@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}',
            f'@media screen {{ :root[data-theme="dark"] {{ {dark} }} }}',
            _read("page.css"),
        ]
    )


def script(names: Sequence[str]) -> str:
    """Some scripts as one."""
    return "\n".join(['"use strict";', *map(_read, names)])


def _assets() -> dict[str, tuple[str, str]]:
    scripts = dict.fromkeys((*RUN_SCRIPTS, *RUNS_SCRIPTS, *COMPARE_SCRIPTS))
    return {
        "page.css": ("text/css", stylesheet()),
        **{name: ("text/javascript", script([name])) for name in scripts},
    }


def _render(template: str, **values: object) -> str:
    return environment().get_template(template).render(**values)


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


ASSETS = _assets()
"""All that pages load from `static/`: name -> (content type, text)."""
