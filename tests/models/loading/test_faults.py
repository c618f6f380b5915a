"""One line for whatever is raised over a model's files."""

import logging
import warnings
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.loading.faults import explained, line, listed, quiet
from shiftgym.models.loading.source import Source, find_source

HUB = Source("owner/name", Path(), hub_id="owner/name")


@pytest.mark.parametrize(
    ("raised", "meaning"),
    [
        ("Something else.\nAnd more.", "Something else.$"),
        ("Validation error for field 'x':\n    TypeError: no\n more", "field 'x': TypeError: no$"),
        ("", "OSError$"),
    ],
)  # fmt: skip
def test_every_error_is_one_line_with_its_meaning(raised: str, meaning: str) -> None:
    with (
        pytest.raises(ConfigError, match=f"^model 'owner/name' cannot be loaded: .*{meaning}") as shown,
        explained(HUB),
    ):
        raise OSError(raised)
    assert "\n" not in str(shown.value)


def test_an_error_of_ours_stays_as_it_is() -> None:
    with pytest.raises(ConfigError, match="^ours$"), explained(HUB, "part: "):
        raise ConfigError("ours")


def test_a_pointer_of_git_lfs_is_the_cause_of_any_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (tmp_path / "other.json").write_text("{}")
    cause = "loaded: tokenizer.json: .*run `git lfs pull`"
    with pytest.raises(ConfigError, match=cause), explained(find_source(str(tmp_path))):
        raise ValueError("Expecting value: line 1 column 1 (char 0)")


def test_colours_and_long_lists_are_cut() -> None:
    assert line(ValueError("\x1b[1mbad\x1b[0m\nmore")) == "bad"
    assert listed([*"abcde"]) == "a, b, c and 2 more"
    assert listed([*"abc"]) == "a, b, c"


def test_quiet_ends(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("transformers")
    level = logger.level
    with quiet():
        warnings.warn("unheard", stacklevel=1)
        logging.getLogger("transformers.modeling_utils").error("unheard")
    assert logger.level == level
    assert capfd.readouterr() == ("", "")
