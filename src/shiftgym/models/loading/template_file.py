"""A chat template that the user gives, as its text or by the path of its file. torch is not imported here, so that
study files are checked without it."""

import json
from pathlib import Path

from shiftgym.errors import ConfigError


def template_text(given: str) -> str:
    """The text of a chat template.

    Args:
        given: the text itself, which is told by a brace (a template without one leaves out what is said), or the path
            of a file.

    Raises:
        ConfigError: there is no such file, or it holds no text.
    """
    if "{" in given:
        return given
    if not Path(given).is_file():
        raise ConfigError(f"there is no file {given!r}; give a Jinja template, or the path of a file that holds one")
    try:
        return Path(given).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{given}: holds no text ({error.reason}); give a file with a Jinja template") from None


def template_overrides(file: Path | None) -> list[str]:
    """That file as `key=value` for a study; nothing if there is none."""
    return [] if file is None else [f"chat_template={json.dumps(str(file), ensure_ascii=False)}"]
