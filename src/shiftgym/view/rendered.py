"""The whole report of a run on the standard output, as `view/reporting.py` asks for it. Nothing is written.

    python -m shiftgym.view.rendered FOLDER

A line on the standard error output says why there is no report.
"""

import os
import sys
from pathlib import Path

from shiftgym.errors import ShiftgymError
from shiftgym.reports.page import render_report

NICE = 10
"""By so much this yields to the run, which may need every core."""


def main(folder: str) -> None:
    """Print the report of the run in a folder."""
    os.nice(NICE)
    try:
        text = render_report(Path(folder))
    except ShiftgymError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(text.encode())


if __name__ == "__main__":
    main(sys.argv[1])
