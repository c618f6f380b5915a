"""`shiftgym view`: the command that shows runs in a browser, without logic."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from shiftgym.errors import ConfigError


def view(
    folder: Path = Path("runs"),
    /,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))] = None,
    opened: Annotated[bool, Parameter(name="--open")] = False,
) -> None:
    """Show runs in a browser, and follow them while they go on.

    Nothing is written. If the environment holds a SHIFTGYM_TOKEN, the page asks for it.

    Example: shiftgym view runs/points-text-20260101-120000

    Parameters
    ----------
    folder
        A run folder, the folder of a suite or of a comparison, or a folder with runs in it.
    host
        Where the server listens. What other machines can reach needs a SHIFTGYM_TOKEN.
    port
        By default 8017, or one that is free if that is taken. 0 takes a free one. The first line of the output names
        it.
    opened
        Open the page in the browser of this machine.
    """
    try:
        from shiftgym.view.server import view as view_runs
    except ModuleNotFoundError as missing:
        if missing.name not in ("starlette", "uvicorn"):
            raise
        raise ConfigError(f"view needs {missing.name}, which is not installed: pip install 'shiftgym[view]'") from None

    view_runs(folder, host=host, port=port, token=os.environ.get("SHIFTGYM_TOKEN"), opened=opened)
