"""Which figures a run has, and the panels that each of them is made of."""

import itertools

from shiftgym.evaluation.measures import MEASURES
from shiftgym.following.declaration import View
from shiftgym.reports import panels, tables
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.figures import PaperFigure


def all_figures(analysis: Analysis) -> list[PaperFigure]:
    """The figures of one run for a paper."""
    return [*drawn_figures(analysis), *_success(analysis)]


def drawn_figures(analysis: Analysis) -> list[PaperFigure]:
    """The figures whose panels stand on the page too. Success against compute is drawn there by the page itself."""
    return [
        *_trajectories(analysis),
        *_ladders(analysis),
        *(_recognition(analysis) if analysis.sees else ()),
        *_reading(analysis),
        _validity(analysis),
        *_outcomes(analysis),
    ]


def _trajectories(analysis: Analysis) -> list[PaperFigure]:
    """What was gained at home against what was gained under each shift."""
    found = [
        PaperFigure(f"{name}-{split}", [_trajectory(analysis, split, view) for view in views], columns)
        for split in analysis.shifted
        for name, views, columns in (
            ("trajectory", [analysis.primary(split)], 1),
            ("trajectory-secondary", analysis.secondary(split), 2),
        )
        if views
    ]
    return found + [
        PaperFigure(f"pareto-{split}", [panels.pareto(analysis, split)], 1)
        for split in analysis.shifted
        if analysis.rankings[split]
    ]


def _ladders(analysis: Analysis) -> list[PaperFigure]:
    """Success ever further from training."""
    return [
        PaperFigure(
            f"ladder-{name}", [panels.ladder(analysis, rungs, view) for view in analysis.asked(analysis.home)], 2
        )
        for name, rungs in analysis.first.ladders.items()
    ]


def _recognition(analysis: Analysis) -> list[PaperFigure]:
    """Success against what was read off the pictures."""
    return [
        PaperFigure(
            f"recognition-{decoding}",
            [
                panels.trajectory(
                    analysis,
                    f"{split}: {decoding}",
                    panels.Side(split, decoding, "recognised", MEASURES["recognised"].label),
                    panels.Side(split, decoding, "success_1", "success with one attempt"),
                )
                for split in analysis.splits
            ],
            2,
        )
        for decoding in analysis.first.decodings
    ]


def _success(analysis: Analysis) -> list[PaperFigure]:
    """Success along compute, counted in every way."""
    return [
        PaperFigure(
            f"success-{axis}",
            [
                panels.against_compute(analysis, split, view.decoding, view.measure, f"{split}: {view.label}", axis)
                for row in itertools.zip_longest(*map(analysis.asked, analysis.splits))
                for split, view in zip(analysis.splits, row, strict=True)
                if view
            ],
            len(analysis.splits),
        )
        for axis in analysis.first.axes
    ]


def _reading(analysis: Analysis) -> list[PaperFigure]:
    """By which rule the answers under each shift are right."""
    return [
        PaperFigure(
            f"reading-{split}",
            [
                _course(analysis, split, decoding, measure.name, f"{measure.label}, {decoding}")
                for measure in tables.reading_measures(analysis, split)
                for decoding in analysis.first.decodings
            ],
            len(analysis.first.decodings),
        )
        for split in analysis.shifted
        if tables.reading_measures(analysis, split)
    ]


def _validity(analysis: Analysis) -> PaperFigure:
    """How many answers could be judged at all."""
    courses = [
        _course(analysis, split, decoding, "valid", f"{split}: valid, {decoding}")
        for decoding in analysis.first.decodings
        for split in analysis.splits
    ]
    return PaperFigure("validity", courses, len(analysis.splits))


def _outcomes(analysis: Analysis) -> list[PaperFigure]:
    """What the verifier said of first and of final answers."""
    return [
        PaperFigure(
            f"outcomes-{decoding}",
            [
                panels.outcomes(analysis, split, decoding, share)
                for share in ("first", "final")
                for split in analysis.splits
            ],
            len(analysis.splits),
        )
        for decoding in analysis.first.decodings
    ]


def _trajectory(analysis: Analysis, split: str, view: View) -> panels.Panel:
    """A measure at home against the same measure under a shift."""
    sides = (panels.Side(each, view.decoding, view.measure, f"on {each}") for each in (analysis.home, split))
    return panels.trajectory(analysis, f"{split}: {view.label}", *sides)


def _course(analysis: Analysis, split: str, decoding: str, measure: str, title: str) -> panels.Panel:
    """A measure along compute, or where that of some branch is not known, at the end."""
    axis = next(iter(analysis.first.axes), None)
    trained = [entry for entry in analysis.shown if entry != analysis.start]
    if axis is None or not all(analysis.compute(entry, axis) for entry in trained):
        return panels.rates(analysis, split, decoding, measure, title)
    return panels.against_compute(analysis, split, decoding, measure, title, axis)
