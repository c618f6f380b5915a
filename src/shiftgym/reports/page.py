"""The report: one HTML file that opens offline, figures for a paper, and the result table for the terminal."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.probed import PROBES
from shiftgym.evaluation.statistics import LEVEL, RESAMPLES
from shiftgym.files import write_text
from shiftgym.layout import RunFolder
from shiftgym.reports import panels, tables, words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.cautions import cautions
from shiftgym.reports.comparison import View
from shiftgym.reports.episodes import sampled_episodes
from shiftgym.reports.figures import PaperFigure, inline_svg, save
from shiftgym.reports.runs import Run, check_poolable, load_run


def build_report(run_folder: Path, others: Sequence[Path] = ()) -> Path:
    """Write `report.html` and `figures/` into `run_folder`; its path.

    Args:
        run_folder: a run folder, finished or not.
        others: runs of the same study on other backbones, shown beside it and pooled with it.

    Raises:
        DataError: a folder is no run folder or holds a broken file, or the runs cannot be pooled.
    """
    runs = _load(run_folder, others)
    pooled = Analysis(runs)
    singles = [Analysis([run]) for run in runs]
    layout = RunFolder(run_folder)
    folder = layout.figures
    folder.mkdir(exist_ok=True)
    for single in singles:
        prefix = f"{single.first.backbone}-" if others else ""
        for figure in _figures(single):
            save(PaperFigure(prefix + figure.name, figure.panels, figure.columns), folder)
    write_text(layout.report, _render(pooled, singles))
    return layout.report


def result_table(run_folder: Path, others: Sequence[Path] = ()) -> Group:
    """The headline, the primary measure and the secondary ones, for a terminal of 80 columns; a rich renderable."""
    analysis = Analysis(_load(run_folder, others))
    warning = words.unfinished(analysis)
    parts: list[Any] = [Text(warning), ""] if warning else []
    parts += [Text(f"{line}\n") for line in cautions(analysis)]
    for split in analysis.shifted:
        parts += [Text(f"{words.headline(analysis, split)}.\n{words.match(analysis, split)}\n")]
    parts += [_primary_table(analysis, split) for split in analysis.judged_first]
    parts += ["Secondary measures, in percent. No verdict above depends on them:", ""]
    parts += [_secondary_table(analysis, split) for split in analysis.judged_first]
    return Group(*parts, words.scope(analysis))


def _primary_table(analysis: Analysis, split: str) -> Table:
    rows = tables.primary_rows(analysis, split)
    title = f"{words.setting(analysis, split)}: {analysis.primary(split).label}"
    table = Table("branch", *[cell.head for cell in rows[0][1]], title=title, box=SIMPLE_HEAD, pad_edge=False)
    for entry, (rate, *differences) in rows:
        told = [f"{cell.text} {cell.verdict}\n{cell.small[0]}" if cell.text else "" for cell in differences]
        table.add_row(Text(entry.label), "\n".join([rate.text, *rate.small]), *map(Text, told))
    return table


def _secondary_table(analysis: Analysis, split: str) -> Table:
    views, decoding = analysis.secondary(split), analysis.compare.decoding
    heads = [view.label.replace(", ", "\n") for view in views]
    used = {entry: analysis.rate(entry, split, decoding, "perseverated") for entry in analysis.entries}
    told = split in analysis.shifted and any(used.values())
    heads += ["trained\nrule used"] if told else []
    table = Table("branch", *heads, title=split, box=SIMPLE_HEAD, pad_edge=False)
    for entry in analysis.entries:
        rates = [analysis.rate(entry, split, view.decoding, view.measure) for view in views]
        rates += [used[entry]] if told else []
        table.add_row(Text(entry.label), *[words.percent(rate.value if rate else None) for rate in rates])
    return table


def _load(run_folder: Path, others: Sequence[Path]) -> list[Run]:
    runs = [load_run(folder) for folder in (run_folder, *others)]
    check_poolable(runs)
    return runs


def _figures(analysis: Analysis) -> list[PaperFigure]:
    """The figures of one run; the page takes the same panels."""
    found = [
        PaperFigure(f"{name}-{split}", [_trajectory(analysis, split, view) for view in views], columns)
        for split in analysis.shifted
        for name, views, columns in (
            ("trajectory", [analysis.primary(split)], 1),
            ("trajectory-secondary", analysis.secondary(split), 2),
        )
        if views
    ]
    found += [
        PaperFigure(f"pareto-{split}", [panels.pareto(analysis, split)], 1)
        for split in analysis.shifted
        if analysis.rankings[split]
    ]
    found += [
        PaperFigure(
            f"ladder-{name}", [panels.ladder(analysis, rungs, view) for view in analysis.asked(analysis.home)], 2
        )
        for name, rungs in analysis.first.ladders.items()
    ]
    if analysis.sees:
        found += [
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
    found += [
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
        for axis in words.AXES
    ]
    found += [
        PaperFigure(
            f"reading-{split}",
            [
                panels.against_compute(analysis, split, decoding, measure.name, f"{measure.label}, {decoding}", "flops")
                for measure in tables.reading_measures(analysis, split)
                for decoding in analysis.first.decodings
            ],
            len(analysis.first.decodings),
        )
        for split in analysis.shifted
        if tables.reading_measures(analysis, split)
    ]
    found.append(
        PaperFigure(
            "validity",
            [
                panels.against_compute(analysis, split, decoding, "valid", f"{split}: valid, {decoding}", "flops")
                for decoding in analysis.first.decodings
                for split in analysis.splits
            ],
            len(analysis.splits),
        )
    )
    found += [
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
    return found


def _trajectory(analysis: Analysis, split: str, view: View) -> panels.Panel:
    """A measure at home against the same measure under a shift."""
    sides = (panels.Side(each, view.decoding, view.measure, f"on {each}") for each in (analysis.home, split))
    return panels.trajectory(analysis, f"{split}: {view.label}", *sides)


class Drawing(NamedTuple):
    """One panel on the page."""

    title: str
    svg: Markup


def _render(pooled: Analysis, singles: Sequence[Analysis]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("shiftgym.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = pooled.first
    drawings = [
        {
            figure.name: [
                Drawing(panel.title, Markup(inline_svg(panel, f"b{b}f{f}p{p}")))
                for p, panel in enumerate(figure.panels)
            ]
            for f, figure in enumerate(_figures(single))
        }
        for b, single in enumerate(singles)
    ]
    episodes, left_out = sampled_episodes(first)
    return environment.get_template("report.html.j2").render(
        run=first,
        pooled=pooled,
        # Pooled first, then each backbone; one run needs no pooling.
        scopes=[("all backbones", pooled)] * (len(singles) > 1) + [(one.first.backbone, one) for one in singles],
        singles=list(zip(singles, drawings, strict=True)),
        words=words,
        cautions=cautions(pooled),
        measures=MEASURES,
        probes=PROBES,
        primary_rows=tables.primary_rows,
        rate_rows=tables.rate_rows,
        change_rows=tables.change_rows,
        ranking_rows=tables.ranking_rows,
        reading_measures=tables.reading_measures,
        probe_rows=tables.probe_rows,
        compute_rows=tables.compute_rows,
        gap_rows=tables.gap_rows,
        slope_rows=tables.slope_rows,
        share_rows=tables.share_rows,
        axes=words.AXES,
        palette=list(zip(panels.SERIES, panels.SERIES_ON_DARK, strict=True)),
        outcomes=panels.outcome_fills(pooled),
        level=f"{100 * LEVEL:.0f} %",
        resamples=RESAMPLES,
        cards=[(one.first.backbone, _markdown(one.first.model_card())) for one in singles],
        settings=[
            (one.first.backbone, RunFolder(one.first.folder).study.read_text(encoding="utf-8")) for one in singles
        ],
        environment=list(_flat(first.environment())),
        episodes=_embedded(episodes),
        shown=len(episodes["episodes"]),
        left_out=left_out,
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
    """The leaves of nested tables as dotted names with their values."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _embedded(value: Any) -> Markup:
    """JSON for a script element: no character in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
