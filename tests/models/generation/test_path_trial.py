"""What both paths are tried on."""

from typing import Any

import pytest
from tests.models.families import make_text_model, text_model

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.path_trial import LONGEST, SHORTEST, PathTrial, prompts_for
from shiftgym.models.generation.paths import obstacle


@pytest.mark.parametrize(("window", "least"), [(None, SHORTEST), (40, 41), (200, 201), (255, 256), (4096, SHORTEST)])
def test_prompts_are_longer_than_the_window_but_not_long(make_tiny: Any, window: int | None, least: int) -> None:
    model, tokenizer = make_tiny("llama")
    model.config.sliding_window = window
    chat_format = ChatFormat(tokenizer)
    one, other, short = (chat_format.prompt(each) for each in prompts_for(model, chat_format))
    assert least <= len(one) <= LONGEST + 20
    assert len(short) < len(one) - 10
    shared = next(at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    assert shared > len(one) / 2, "they share a row of a tree"


def test_the_smallest_window_or_chunk_counts(make_tiny: Any) -> None:
    model, tokenizer = make_tiny("llama")
    model.config.sliding_window, model.config.attention_chunk_size = 200, 100
    chat_format = ChatFormat(tokenizer)
    assert 100 < len(chat_format.prompt(prompts_for(model, chat_format)[0])) < 130


@pytest.mark.parametrize(("positions", "fit"), [(1024, True), (60, False)])
def test_there_are_none_for_a_model_too_short_for_them(make_tiny: Any, positions: int, fit: bool) -> None:
    model, tokenizer = make_tiny("llama")
    model.config.max_position_embeddings = positions
    assert bool(prompts_for(model, ChatFormat(tokenizer))) == fit


def test_a_window_that_the_configuration_hides_is_noticed() -> None:
    """The local layers of GPT-Neo attend to sixteen tokens, by a mask of their own."""
    model, chat_format = make_text_model("GPT-Neo"), text_model("GPT-Neo")[1]
    model.config.attention_layers = ["global", "global"]
    assert obstacle(model, chat_format) is None
    why, trees = PathTrial(model, chat_format, prompts_for(model, chat_format)).fast(trees=True)
    assert "differ from whole rows" in str(why)
    assert not trees


@pytest.mark.parametrize("family", ["Gemma 2", "Llama"])
def test_a_window_is_held_by_the_fast_path_but_not_by_trees(family: str) -> None:
    model, chat_format = text_model(family)
    trial = PathTrial(model, chat_format, prompts_for(model, chat_format))
    assert trial.fast(trees=True) == (None, family == "Llama")
