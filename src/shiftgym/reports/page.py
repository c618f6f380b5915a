"""The report: one HTML file that opens offline, figures for a paper, and the result table for the terminal."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.statistics import LEVEL, RESAMPLES
from shiftgym.files import write_text
from shiftgym.following.page import RUN_SCRIPTS, environment, script, stylesheet
from shiftgym.layout import RunFolder
from shiftgym.reports import judgement, panels, tables, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.boards import add_episodes, carried, embedded, size
from shiftgym.reports.cautions import cautions
from shiftgym.reports.comparison import MANY
from shiftgym.reports.drawings import all_figures, drawn_figures
from shiftgym.reports.figures import PaperFigure, inline_svg, save
from shiftgym.reports.judgement import judge_all, judged_entries
from shiftgym.reports.load import load_runs
from shiftgym.reports.runs import LoadedComparison

LARGEST = 4_900_000
"""Bytes of a whole report. Episodes take what the rest of the page leaves of it."""


def build_report(run_folder: Path, others: Sequence[Path] = ()) -> Path:
    """Write `report.html` and `figures/` into `run_folder`; its path.

    Args:
        run_folder: a run folder, finished or not.
        others: runs of the same study on other backbones, shown beside it and pooled with it.

    Raises:
        DataError: a folder is no run folder or holds a broken file, or the runs cannot be pooled.
    """
    return write_report(Analysis(load_runs([run_folder, *others])))


def render_report(run_folder: Path, largest: int = LARGEST) -> str:
    """The report of a run as it stands now, as HTML of about `largest` bytes at most. Nothing is written.

    Raises:
        DataError: as for `build_report`.
    """
    return rendered(Analysis(load_runs([run_folder])), largest)


def rendered(analysis: Analysis, largest: int = LARGEST) -> str:
    """The report of one run that was read already."""
    return _render(analysis, [analysis], largest)


def write_report(pooled: Analysis) -> Path:
    """Write `report.html` and `figures/` into the folder of the first run; the path of the report."""
    several = len(pooled.runs) > 1
    singles = [Analysis([run]) for run in pooled.runs] if several else [pooled]
    layout = RunFolder(pooled.first.folder)
    folder = layout.figures
    folder.mkdir(exist_ok=True)
    for single in singles:
        prefix = f"{single.first.backbone}-" if several else ""
        for figure in all_figures(single):
            save(PaperFigure(prefix + figure.name, figure.panels, figure.columns), folder)
    write_text(layout.report, _render(pooled, singles))
    return layout.report


class Drawing(NamedTuple):
    """One panel on the page."""

    title: str
    svg: Markup


EPISODES, BOARDS = "\0episodes\0", "\0boards\0"
"""Places in a page that is rendered but for its episodes; no text on it holds a character 0."""


def _render(pooled: Analysis, singles: Sequence[Analysis], largest: int = LARGEST) -> str:
    boards = [carried(single, len(singles)) for single in singles]
    page = _render_but_episodes(pooled, singles, sum((board.left_out for board in boards), Counter()))
    left = largest - len(page.encode()) - sum(size(board.patch) for board in boards)
    first = boards[0]
    add_episodes(first, singles[0], left)
    scripts = [
        f'<script type="application/json" class="board" data-name="{escape(single.first.backbone)}">'
        f"{embedded(board.patch)}</script>"
        for single, board in zip(singles, boards, strict=True)
    ]
    told = words.sampled(len(first.patch["episodes"]), first.left_out["episodes"])
    return page.replace(EPISODES, told).replace(BOARDS, "\n".join(scripts))


def _render_but_episodes(pooled: Analysis, singles: Sequence[Analysis], left_out: Counter[str]) -> str:
    first = pooled.first
    drawings = [
        {
            figure.name: [
                Drawing(panel.title, Markup(inline_svg(panel, f"b{b}f{f}p{p}")))
                for p, panel in enumerate(figure.panels)
            ]
            for f, figure in enumerate(drawn_figures(single))
        }
        for b, single in enumerate(singles)
    ]
    judges = isinstance(first, LoadedComparison)
    judged = [(entry, judge_all(singles[0], entry)) for entry in judged_entries(first)] if judges else []
    return (
        environment(jinja2.PackageLoader("shiftgym.reports"))
        .get_template(first.template)
        .render(
            run=first,
            pooled=pooled,
            # Pooled first, then each backbone; one run needs no pooling.
            scopes=[("all backbones", pooled)] * (len(singles) > 1) + [(one.first.backbone, one) for one in singles],
            singles=list(zip(singles, drawings, strict=True)),
            words=words,
            judged=judged,
            headline=judgement.headline(judged),
            signs=judgement.SIGNS,
            beyond=judgement.SCOPE,
            template_warning=judgement.template_warning(first),
            cautions=cautions(pooled),
            measures=MEASURES,
            probes=pooled.probes,
            main_rows=tables.pair_rows if judges else tables.primary_rows,
            other_rows=tables.primary_rows,
            many=MANY,
            rate_rows=tables.rate_rows,
            change_rows=tables.change_rows,
            ranking_rows=tables.ranking_rows,
            reading_measures=tables.reading_measures,
            probe_rows=tables.probe_rows,
            compute_rows=tables.compute_rows,
            gap_rows=tables.gap_rows,
            slope_rows=tables.slope_rows,
            share_rows=tables.share_rows,
            axes=first.axes,
            outcomes=panels.outcome_fills(pooled),
            level=f"{100 * LEVEL:.0f} %",
            resamples=RESAMPLES,
            cards=[(one.first.backbone, _markdown(one.first.model_card())) for one in singles],
            settings=[
                (one.first.backbone, RunFolder(one.first.folder).study.read_text(encoding="utf-8")) for one in singles
            ],
            environment=list(_flat(first.environment())),
            left_out=left_out,
            episodes_told=EPISODES,
            boards=BOARDS,
            stylesheet=Markup(stylesheet()),
            script=Markup(script(RUN_SCRIPTS)),
        )
    )


def _markdown(text: str | None) -> Markup | None:
    """A model card as HTML: raw HTML is escaped, images are not loaded, headings go below those of the page."""
    if text is None:
        return None
    # A card may begin with metadata for the hub, which is not meant to be read.
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("image", _alternative_text)
    tokens = renderer.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return Markup(renderer.renderer.render(tokens, renderer.options, {}))


def _alternative_text(_: Any, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return str(escape(tokens[index].content))


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested tables as dotted names with their values. Tables of a list are numbered from 1."""
    for key, value in values.items():
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            yield from _flat({str(number): one for number, one in enumerate(value, 1)}, f"{prefix}{key}.")
        elif isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
