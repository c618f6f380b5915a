"""`shiftgym model NAME` in a terminal of 80 columns."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from shiftgym import backbones
from shiftgym.errors import ConfigError
from shiftgym.models.conversations.example import Token
from shiftgym.placement import DEFAULT_PLACEMENT
from shiftgym.studies.model_page import marked, print_model, size_of


def printed(name: str, **options: str) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_model(name, console, placement=DEFAULT_PLACEMENT, **options)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_the_facts_and_the_conversation_fit_80_columns() -> None:
    text = printed("points-0")
    for fact in (
        "family llama (LlamaForCausalLM)",
        "path fast, trees in training",
        "parameters 815,232; input and output embeddings are the same",
        "weights 3.26 MB in float32 (or 1.63 MB in bfloat16)",
        "cache 4.1 kB a token of each conversation",
        "positions 4,096 tokens",
        "chat template its own",
        "answers end with <|end|>",
    ):
        assert fact in text
    answers = re.findall("⟦(.*?)⟧", text.partition("are context.")[2])
    assert len(answers) == 2 and all(answer.endswith("<|end|>") for answer in answers)
    assert int(re.findall(r"trained: (\d+) tokens", text)[0]) == sum(1 + answer.count("·") for answer in answers)


def test_a_model_that_sees_is_shown_a_picture() -> None:
    text = printed("points-vision-0")
    assert "sees pictures" in text and "vision" in text and "<picture of 16 tokens>" in text


def test_the_task_and_the_template_can_be_chosen(tmp_path: Path) -> None:
    assert "Two attempts at navigation" in printed("navigation-0", task="navigation")
    assert "Two attempts at navigation" in printed("navigation-0", study="navigation-text")
    template = tmp_path / "mine.jinja"
    template.write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}<|end|>{% endfor %}<|assistant|>")
    assert "chat template the one given" in printed("points-0", chat_template=str(template))
    with pytest.raises(ConfigError, match="unknown task"):
        printed("points-0", task="poker")


def test_a_long_path_is_shown_whole(tmp_path: Path) -> None:
    folder = tmp_path / ("a-long-name-of-a-checkpoint-" * 5)
    folder.symlink_to(Path(backbones.__file__).parent / "weights" / "points-0")
    assert str(folder) in printed(str(folder)).replace(" ", "")


def test_what_is_trained_is_marked_with_and_without_colours() -> None:
    conversation = [Token("Hi\n", False), Token("yes", True), Token(" I", True), Token("no", False), Token("42", True)]
    text = marked(conversation)
    assert text.plain == "Hi↵\n⟦yes· I⟧\nno\n⟦42⟧"
    green = "".join(text.plain[span.start : span.end] for span in text.spans if "green" in str(span.style))
    assert green.replace("\n", "") == "⟦yes I⟧⟦42⟧"


@pytest.mark.parametrize(
    ("size", "told"), [(12, "12 B"), (4096, "4.1 kB"), (2.14e9, "2.14 GB"), (21.4e9, "21.4 GB"), (999, "999 B")]
)
def test_sizes(size: float, told: str) -> None:
    assert size_of(size) == told
