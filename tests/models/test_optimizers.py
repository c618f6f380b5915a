from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel, PreTrainedTokenizerFast

from shiftgym.errors import ConfigError
from shiftgym.models.optimizers import Name, Optimizer, state_bytes
from shiftgym.models.value import ValueHead


def test_muon_gets_the_hidden_matrices_and_adamw_the_rest(
    tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast],
) -> None:
    model = tiny[0]
    adamw, muon = Optimizer([(model, 1.0)], "muon", 1e-3)._parts
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    hidden = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    rest = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert hidden | rest == set(names.values())
    assert not hidden & rest
    assert all(".layers." in name and ("_proj.weight" in name) for name in hidden)
    assert len(hidden) == 7 * model.config.num_hidden_layers
    assert any("embed_tokens" in name for name in rest)


def test_each_module_has_its_multiple_of_the_rate() -> None:
    model, head = torch.nn.Linear(4, 4), ValueHead(4, seed=0)
    optimizer = Optimizer([(model, 1.0), (head, 10.0)], "adamw", 1e-3)
    optimizer.set_learning_rate(2e-3)
    assert [group["lr"] for part in optimizer._parts for group in part.param_groups] == [2e-3, 2e-2]


with_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")


def step(model: nn.Module, optimizer: Optimizer, number: int) -> None:
    """One step on gradients that follow from its number."""
    generator = torch.Generator().manual_seed(number)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)
    optimizer.step()


def wide() -> nn.Module:
    """Embeddings, and a layer large enough for moments of 8 bits."""
    model = nn.Sequential(nn.Embedding(100, 64), nn.Linear(64, 128), nn.Linear(128, 4))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.1, generator=generator)
    return model


@with_bitsandbytes
def test_moments_of_8_bits_for_what_is_large_and_no_embedding() -> None:
    model = wide()
    optimizer = Optimizer([(model, 1.0)], "adamw8bit", 1e-3, 0.1, (0.9, 0.98))
    step(model, optimizer, 1)
    kept = {
        tuple(weight.shape): part.state[weight]["state1"].dtype
        for part in optimizer._parts
        for group in part.param_groups
        for weight in group["params"]
    }
    small = dict.fromkeys([(100, 64), (128,), (4, 128), (4,)], torch.float32)
    assert kept == {(128, 64): torch.uint8, **small}


@with_bitsandbytes
def test_moments_of_8_bits_lead_nearly_where_those_of_32_do() -> None:
    moved = []
    for name in ("adamw", "adamw8bit"):
        model, before = wide(), wide()
        optimizer = Optimizer([(model, 1.0)], name, 1e-3, 0.0, (0.9, 0.98))
        for number in range(5):
            step(model, optimizer, number)
        moved.append(
            torch.cat(
                [(a - b).flatten() for a, b in zip(model.parameters(), before.parameters(), strict=True)]
            ).detach()
        )
    assert torch.nn.functional.cosine_similarity(moved[0], moved[1], dim=0) > 0.99


@with_bitsandbytes
def test_moments_of_8_bits_go_on_where_they_stood(tmp_path: Path) -> None:
    model = wide()
    optimizer = Optimizer([(model, 1.0)], "adamw8bit", 1e-3)
    for number in range(2):
        step(model, optimizer, number)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    other = wide()
    other.load_state_dict(model.state_dict())
    resumed = Optimizer([(other, 1.0)], "adamw8bit", 1e-3)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt"))
    for number in range(2, 4):
        step(model, optimizer, number)
        step(other, resumed, number)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_moments_of_8_bits_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftgym.models.optimizers.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs bitsandbytes: pip install 'shiftgym\[bitsandbytes\]'"):
        Optimizer([(wide(), 1.0)], "adamw8bit", 1e-3)


@pytest.mark.parametrize("name", ["adamw", "muon", pytest.param("adamw8bit", marks=with_bitsandbytes)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_states_take_as_many_bytes_as_are_planned(name: Name, dtype: torch.dtype) -> None:
    config = LlamaConfig(
        hidden_size=128, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4, vocab_size=50
    )
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    optimizer = Optimizer([(model, 1.0)], name, 1e-3)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    found = 0
    for part in optimizer._parts:
        for state in part.state.values():
            tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor) and value.ndim}
            # The two tables of bitsandbytes are shared by all weights.
            found += sum(value.nbytes for key, value in tensors.items() if not key.startswith("qmap"))
    assert found == state_bytes(model, name)
