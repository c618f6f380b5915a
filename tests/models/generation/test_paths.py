"""Which path a model takes, by its structure and by a trial."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, LlamaForCausalLM
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation import paths
from shiftgym.models.generation.paths import ReadingPath, obstacle, reading_path, share_path


@pytest.fixture
def llama(tiny_llama: Any) -> tuple[LlamaForCausalLM, ChatFormat]:
    """A model of its own, with its chat format."""
    model = copy.deepcopy(tiny_llama[0])
    return model, ChatFormat(tiny_llama[1], model.generation_config)


def counted(model: Any) -> list[int]:
    """Grows with every forward pass of the trunk."""
    calls: list[int] = []
    model.base_model.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_plain_attention_takes_the_fast_path_and_is_tried_once(llama: Any) -> None:
    model, chat_format = llama
    calls = counted(model)
    model.train()
    state = torch.get_rng_state()
    assert reading_path(model, chat_format) == ReadingPath(True, trees=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    tried = len(calls)
    assert 0 < tried < 10
    reading_path(model, chat_format)
    assert len(calls) == tried


def test_a_copy_takes_the_path_of_its_model(llama: Any) -> None:
    model, chat_format = llama
    calls = counted(model)
    kept = copy.deepcopy(model)
    share_path(kept, model, chat_format)
    tried = len(calls)
    assert reading_path(kept, chat_format) == reading_path(model, chat_format)
    assert len(calls) == tried > 0


def test_trees_want_a_kernel_that_takes_their_mask(llama: Any) -> None:
    model, chat_format = llama
    assert reading_path(model, chat_format).trees
    model.config._attn_implementation = "flash_attention_2"
    assert not reading_path(model, chat_format).trees


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"layer_types": ["full_attention", "linear_attention"]}, "linear attention layers"),
        ({"layer_types": ["chunked_attention", "conv"]}, "chunked attention and conv layers"),
        ({"layers_block_type": ["mamba", "attention"]}, "it has linear attention layers"),
        ({"num_kv_shared_layers": 1}, "share the keys of others"),
        ({"cross_attention_layers": [1]}, "cross-attention"),
        ({"alibi": True}, "positions cannot be given"),
        ({"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 512}, None),
    ],
    ids=str,
)
def test_structure_decides_first(llama: Any, settings: dict[str, Any], why: str | None) -> None:
    model, chat_format = llama
    for name, value in settings.items():
        setattr(model.config, name, value)
    found = obstacle(model, chat_format)
    assert found == why or why in str(found)


def test_a_model_that_counts_columns_itself_is_found_out(llama: Any) -> None:
    """Nothing in its configuration tells that its embeddings depend on the column of a token. It can only be read whole
    and without padding on the left."""
    model, chat_format = llama

    def moved(_module: Any, _arguments: Any, output: Tensor) -> Tensor:
        """(B, T, H), turned by the column of each token."""
        return output * torch.arange(1, output.shape[1] + 1)[:, None].cos()

    model.get_input_embeddings().register_forward_hook(moved)
    path = reading_path(model, chat_format)
    assert (path.fast, path.trees, path.padded, path.cached, path.trunk) == (False, False, False, False, True)
    assert "differ from whole rows" in path.why
    assert "all the same" not in path.why


def test_a_model_that_does_more_to_its_logits_is_asked_whole(llama: Any) -> None:
    model, chat_format = llama

    def halved(_module: Any, _arguments: Any, output: Any) -> Any:
        output.logits = output.logits / 2
        return output

    model.register_forward_hook(halved)
    path = reading_path(model, chat_format)
    assert (path.fast, path.padded, path.cached, path.trunk) == (False, True, True, False)


def test_a_model_that_refuses_the_cache_takes_the_plain_path(llama: Any) -> None:
    model, chat_format = llama

    def refuse(_module: Any, _arguments: Any, inputs: Any) -> None:
        if type(inputs.get("past_key_values")).__name__ == "RaggedCache":
            raise TypeError("a cache of another kind")

    model.base_model.register_forward_pre_hook(refuse, with_kwargs=True)
    path = reading_path(model, chat_format)
    assert (path.fast, path.cached) == (False, True)
    assert path.why == "it cannot be run with a cache and masks of ours (TypeError)"


def test_memory_that_runs_out_is_no_reason(llama: Any) -> None:
    model, chat_format = llama

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("full")

    model.base_model.register_forward_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        reading_path(model, chat_format)


def test_damaged_weights_are_for_others_to_tell(llama: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model, chat_format = llama
    with torch.no_grad():
        model.model.norm.weight[3] = float("nan")
    assert reading_path(model, chat_format) == ReadingPath(True, trees=True)
    assert capsys.readouterr().err == ""


def test_a_model_without_weights_is_judged_by_its_structure(llama: Any) -> None:
    model, chat_format = llama
    assert reading_path(model.to("meta"), chat_format) == ReadingPath(True, trees=True)


def test_a_model_too_short_to_be_tried_is_judged_by_its_structure(tiny_llama: Any) -> None:
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = GPT2Config(vocab_size=len(tiny_llama[1]), n_positions=20, n_embd=16, n_layer=2, n_head=2, **ends)
    with torch.random.fork_rng():
        model = AutoModelForCausalLM.from_config(config).eval()
    assert reading_path(model, ChatFormat(tiny_llama[1])) == ReadingPath(True, trees=True)


def test_the_plain_path_is_told_once(llama: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model, chat_format = llama
    model.config.alibi = True
    paths.tell.cache_clear()
    for each in (model, copy.deepcopy(model)):
        assert not reading_path(each, chat_format).fast
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("llama takes the plain path")
    assert "positions cannot be given to it" in told
