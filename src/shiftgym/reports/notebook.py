"""A run as a notebook or a terminal shows it, and its results as a table."""

import io
from html import escape
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from shiftgym.errors import DataError
from shiftgym.following.declaration import read_declaration
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.judgement import opening
from shiftgym.reports.load import load_run
from shiftgym.reports.terminal import result_table


class Run:
    """A study or a comparison of checkpoints that was carried out, or that still goes on. In a notebook it shows its
    report, and in a terminal its tables.

    The folder is read whenever something is asked, so a run that goes on shows what it has by then.

        run = Run("runs/points-text-20260101-120000")
        polars.DataFrame(run.results())

    Args:
        folder: the run folder.

    Raises:
        DataError: the folder is no run folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        read_declaration(self.folder)

    def results(self, *, decisions: bool = False) -> pa.Table:
        """The rows of `results.jsonl`: one for each problem that a checkpoint answered. docs/notebooks.md says what
        every column is.

        pandas and polars take the table by the Arrow interface: `pandas.DataFrame.from_arrow(table)`,
        `polars.DataFrame(table)`.

        Args:
            decisions: also the column `decisions`, the only nested one.

        Raises:
            DataError: there are no results yet, or a file cannot be read as what it should be.
        """
        rows = load_run(self.folder).rows
        # A column in one piece is taken without a copy.
        return (rows if decisions else rows.drop_columns(["decisions"])).combine_chunks()

    def report(self) -> Path:
        """Write `report.html` and `figures/` into the run folder; the path of the report.

        Raises:
            DataError: as for `results`.
        """
        from shiftgym.reports.page import build_report

        return build_report(self.folder)

    def __repr__(self) -> str:
        console = Console(record=True, width=100, file=io.StringIO())
        try:
            console.print(result_table(self.folder), highlight=False)
        except DataError as error:
            return str(error)
        return console.export_text()

    def _repr_html_(self) -> str:
        """The headline, and below it the report in a frame of its own: nothing of it reaches the notebook."""
        from shiftgym.reports.page import rendered

        try:
            analysis = Analysis([load_run(self.folder)])
            page, told = rendered(analysis), opening(analysis)
        except DataError as error:
            return f"<p>{escape(str(error))}</p>"
        style = "width: 100%; height: 40em; border: 1px solid #8888"
        frame = f'<iframe sandbox="allow-scripts" style="{style}" title="Report" srcdoc="{escape(page)}"></iframe>'
        return f"<p><b>{escape(told)}</b></p>\n{frame}"
