"""`shiftgym serve`: the command that lets trainers in other processes or languages play, without logic."""

import os
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from shiftgym.cli.options import Overrides
from shiftgym.errors import ConfigError
from shiftgym.integrations.limits import DEFAULT_LIMITS, Limits

LimitOptions = Annotated[Limits, Parameter(name="*")]
"""The options --max-sessions, --max-batch, --max-text, --max-body, --idle and --life."""


def serve(
    studies: list[str] | None = None,
    /,
    *,
    overrides: Overrides = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000,
    limits: LimitOptions = DEFAULT_LIMITS,
) -> None:
    """Serve the problems of studies over HTTP, for trainers in other processes or languages.

    Clients open sessions, answer and read verdicts, all in JSON (see docs/integrations/server.md).

    If the environment holds a SHIFTGYM_TOKEN, they have to send it as `Authorization: Bearer TOKEN`.

    Example: shiftgym serve points-text navigation-text

    Parameters
    ----------
    studies
        The studies whose problems are served, shipped ones or files; by default points-text.
    host
        Where the server listens. What other machines can reach needs a SHIFTGYM_TOKEN.
    port
        0 takes a port that is free. The first line of the output names it.
    """
    try:
        from shiftgym.integrations.server import serve as serve_studies
    except ModuleNotFoundError as missing:
        if missing.name not in ("starlette", "uvicorn"):
            raise
        raise ConfigError(
            f"serve needs {missing.name}, which is not installed: pip install 'shiftgym[serve]'"
        ) from None

    token = os.environ.get("SHIFTGYM_TOKEN")
    serve_studies(
        studies or ["points-text"], overrides=overrides or (), limits=limits, host=host, port=port, token=token
    )
