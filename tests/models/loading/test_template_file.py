"""A chat template by its text or by its file."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.loading.template_file import template_overrides, template_text
from shiftgym.reading import override


def test_a_text_is_itself_and_a_path_is_read(tmp_path: Path) -> None:
    text = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    assert template_text(text) == text
    (tmp_path / "chat.jinja").write_text(text)
    assert template_text(str(tmp_path / "chat.jinja")) == text


def test_what_is_no_file_or_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="there is no file 'chat.jinja'; give a Jinja template, or the path of a file"
    ):
        template_text("chat.jinja")
    with pytest.raises(ConfigError, match="there is no file"):
        template_text(str(tmp_path))
    (tmp_path / "chat.jinja").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigError, match="holds no text"):
        template_text(str(tmp_path / "chat.jinja"))


@pytest.mark.parametrize("name", ["chat.jinja", 'it\'s "mine".jinja', "ünï 🂱.jinja", "17"])
def test_the_option_is_an_override(name: str) -> None:
    values: dict[str, object] = {}
    (assignment,) = template_overrides(Path("some") / name)
    override(values, assignment)
    assert values == {"chat_template": f"some/{name}"}
    assert template_overrides(None) == []
