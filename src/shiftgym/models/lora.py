"""LoRA (Hu et al. 2021, arXiv 2106.09685) by peft: beside a frozen weight W of a linear layer lie two small trained
matrices, and the layer computes W x + (alpha / rank) B A x. The model keeps its class, and so everything that runs it.
"""

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from shiftgym import seeds
from shiftgym.errors import ConfigError

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

ALL_LINEAR = "all-linear"
"""Stands for every linear layer that peft can adapt, but the output embeddings."""

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
"""The files of an adapter, as peft has them."""

STATE_SPACES = {"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"}
"""Families whose kernels read the weights of `out_proj` and `dt_proj` by themselves, past any adapter. peft refuses the
first."""

OF_EXPERTS = {"gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"}
"""Names that peft takes for those of experts where a model has its experts stacked in one weight."""

NAME = "default"
"""What peft calls the only adapter of a model."""

PREFIX = "base_model.model."
"""What peft puts before the name of a weight in a file."""


def has_adapter(model: PreTrainedModel) -> bool:
    """Whether an adapter lies beside the weights of this model."""
    return bool(getattr(model, "peft_config", None))


def adapt(
    model: PreTrainedModel,
    *,
    rank: int,
    alpha: int,
    targets: str | Sequence[str],
    seed: int,
) -> None:
    """Make an adapter all that is trained of a model: a new one that adds nothing yet, or the one that it has. What is
    frozen already gets none.

    The adapter's weights are float32, also beside weights of fewer bits, whose steps would be lost in rounding.

    Args:
        targets: `all-linear`, the last parts of names of linear layers, or a regular expression for whole names.
        seed: of A, uniform within 1 / sqrt(inputs) as in peft. B is zero.

    Raises:
        ConfigError: there are no such layers, or the model has another adapter.
    """
    names = targeted(model, targets)
    if has_adapter(model):
        _check_same(model, rank, alpha, names)
    else:
        _inject(model, rank, alpha, names)
        for name, layer in lora_layers(model).items():
            first, second = _factors(layer)
            generator = torch.Generator().manual_seed(seeds.derive(seed, "lora", name))
            bound = first.shape[1] ** -0.5
            with torch.no_grad():
                first.copy_(torch.empty(first.shape).uniform_(-bound, bound, generator=generator))
                second.zero_()
    model.requires_grad_(False)
    for weight in adapter_weights(model).values():
        weight.requires_grad_(True)


def lora_layers(model: PreTrainedModel) -> "dict[str, LoraLayer]":
    """The linear layers that have an adapter, by name."""
    if not has_adapter(model):
        return {}
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def adapter_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Every A (rank, inputs) and B (outputs, rank), by name."""
    return {name: weight for name, weight in model.named_parameters() if re.search(r"\.lora_[AB]\.", name)}


def frozen_copy(model: PreTrainedModel, weights: dict[int, Any] | None = None) -> PreTrainedModel:
    """A copy that keeps the present weights. What is not trained is not copied but shared with the model, so that
    beside an adapter there is no second base in memory. An adapter that adds nothing yet is left out.

    Args:
        weights: what takes the place of weights of the model, by their `id`, where it is not that.
    """
    shared = {id(weight): weight for weight in model.parameters() if not weight.requires_grad}
    kept = copy.deepcopy(model, shared if weights is None else weights)
    kept.requires_grad_(False)
    layers = lora_layers(kept)
    if layers and not any(_factors(layer)[1].any() for layer in layers.values()):
        for name, layer in layers.items():
            kept.set_submodule(name, layer.base_layer)
        del kept.peft_config
    return kept


def save_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Write the adapter as peft does. Its configuration names the base by its absolute path, or by id and commit."""
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(model).to_dict() | {"inference_mode": True}
    # Sets have another order in each process.
    values = {name: sorted(value) if isinstance(value, set | list) else value for name, value in config.items()}
    (folder / CONFIG).write_text(json.dumps(values, indent=2, sort_keys=True), encoding="utf-8")
    named = {f"{PREFIX}{_in_files(name)}": weight.detach() for name, weight in adapter_weights(model).items()}
    save_file(named, folder / WEIGHTS, metadata={"format": "pt"})


def load_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Put the weights in `folder` into the adapter of the model.

    Raises:
        ValueError: they are those of other layers, or have other shapes.
    """
    found, wanted = load_file(folder / WEIGHTS), adapter_weights(model)
    names = {f"{PREFIX}{_in_files(name)}": name for name in wanted}
    if different := sorted(names.keys() ^ found.keys()):
        raise ValueError(f"{len(different)} weights are missing or of no use, such as {different[0]}")
    with torch.no_grad():
        for name, values in found.items():
            weight = wanted[names[name]]
            if values.shape != weight.shape:
                raise ValueError(f"{name} has the shape {list(values.shape)}, not {list(weight.shape)}")
            weight.copy_(values)


def attach(model: PreTrainedModel, folder: Path, base: str, revision: str | None) -> None:
    """Give the model the adapter in `folder`, not merged, so that training can go on with it.

    Args:
        base, revision: what the adapter's checkpoints will name as their base.

    Raises:
        ValueError: it is no plain LoRA adapter, or its weights do not fit.
    """
    from peft import LoraConfig, PeftConfig

    config: Any = PeftConfig.from_pretrained(str(folder))
    default: Any = LoraConfig()
    plain = default.to_dict() if isinstance(config, LoraConfig) else {}
    known = {"r", "lora_alpha", "target_modules", "lora_dropout", "init_lora_weights", "fan_in_fan_out"}
    known |= {"base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version", "auto_mapping"}
    if special := sorted(
        name for name, value in config.to_dict().items() if name not in known and value != plain.get(name)
    ):
        raise ValueError(f"training does not go on with an adapter that has {', '.join(special)}")
    assert isinstance(config, LoraConfig)
    names = {re.sub(r"\.lora_[AB]\..*", "", name.removeprefix(PREFIX)) for name in load_file(folder / WEIGHTS)}
    _inject(model, config.r, config.lora_alpha, sorted(names))
    load_adapter(model, folder)
    _config(model).base_model_name_or_path, _config(model).revision = base, revision


def _inject(model: PreTrainedModel, rank: int, alpha: int, names: Sequence[str]) -> None:
    """Put an adapter beside these layers. No random numbers are drawn that others would draw too."""
    from peft import LoraConfig, inject_adapter_in_model

    base, revision = _origin(model)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=alpha,
        target_modules=list(names),
        # Conv1D, of GPT-2, has its weight transposed.
        fan_in_fan_out=any(isinstance(model.get_submodule(name), Conv1D) for name in names),
        base_model_name_or_path=base,
        revision=revision,
    )
    with torch.random.fork_rng(devices=[]):
        inject_adapter_in_model(config, model)
    layers = lora_layers(model)
    assert sorted(layers) == sorted(names), "peft adapted other layers"
    for layer in layers.values():
        layer.lora_A.float()
        layer.lora_B.float()


def _origin(model: PreTrainedModel) -> tuple[str | None, str | None]:
    """What an adapter names as its base: the absolute path of a directory, or an id on the hub and its commit."""
    name = model.name_or_path
    if not name:
        return None, None
    if Path(name).is_dir():
        return str(Path(name).resolve()), None
    return name, getattr(model.config, "_commit_hash", None)


def targeted(model: PreTrainedModel, targets: str | Sequence[str]) -> list[str]:
    """Names of the linear layers that get an adapter."""
    able = _able(model)
    if targets == ALL_LINEAR:
        found = {ALL_LINEAR: able}
    elif isinstance(targets, str):
        found = {targets: [name for name in able if re.fullmatch(targets, name)]}
    else:
        found = {target: [name for name in able if f".{name}".endswith(f".{target}")] for target in targets}
    if missing := [target for target, names in found.items() if not names]:
        known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in able}))
        raise ConfigError(f"lora.targets: no linear layer is called {missing[0]!r}; this model has {known}")
    return sorted({name for names in found.values() for name in names})


def _able(model: PreTrainedModel) -> list[str]:
    """Names of the linear layers that may get an adapter: those that are not frozen and that peft can handle."""
    head, refused = model.get_output_embeddings(), _refused(model)  # type: ignore[no-untyped-call]
    linear = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head and not re.search(r"\.lora_[AB]\.", name)
    }
    names = [name.removesuffix(".base_layer") for name, module in linear.items() if _learns(module)]
    return [name for name in names if name.rpartition(".")[2] not in refused]


def _refused(model: PreTrainedModel) -> set[str]:
    """Last parts of names of linear layers of this model that an adapter cannot stand beside."""
    names = {"out_proj", "dt_proj"} if model.config.model_type in STATE_SPACES else set()
    if any(weight.ndim == 3 and ".experts." in name for name, weight in model.named_parameters()):
        names |= OF_EXPERTS
    return names


def linear_sizes(layer: nn.Module) -> tuple[int, int]:
    """Inputs and outputs of a linear layer, which may be quantised."""
    inputs, outputs = ("nx", "nf") if isinstance(layer, Conv1D) else ("in_features", "out_features")
    return getattr(layer, inputs), getattr(layer, outputs)


def _learns(layer: nn.Linear | Conv1D) -> bool:
    """Whether an adapter may stand beside this layer: it is quantised, or it is not frozen and nothing but linear. The
    router of Llama 4 is a linear layer that gives more than its product."""
    if not layer.weight.is_floating_point():
        return True
    if not layer.weight.requires_grad or type(layer).forward in (nn.Linear.forward, Conv1D.forward):
        return layer.weight.requires_grad
    with torch.no_grad():
        return isinstance(layer(layer.weight.new_zeros(1, linear_sizes(layer)[0])), Tensor)


def _check_same(model: PreTrainedModel, rank: int, alpha: int, names: Sequence[str]) -> None:
    """ConfigError if the adapter that the model has is not the one that is asked for."""
    config = _config(model)
    there, asked = (config.r, config.lora_alpha, sorted(lora_layers(model))), (rank, alpha, sorted(names))
    if there != asked:
        raise ConfigError(
            f"lora: training goes on with the adapter that the model has, of rank {there[0]} and alpha {there[1]} on "
            f"{len(there[2])} layers, not rank {rank} and alpha {alpha} on {len(names)}; give the same, or leave lora "
            "out to train the merged model"
        )


def _factors(layer: "LoraLayer") -> tuple[Tensor, Tensor]:
    """A (rank, inputs) and B (outputs, rank) of a layer."""
    first: Any = layer.lora_A[NAME]
    second: Any = layer.lora_B[NAME]
    return first.weight, second.weight


def _config(model: PreTrainedModel) -> Any:
    """peft's configuration of the model's adapter."""
    return model.peft_config[NAME]


def _in_files(name: str) -> str:
    """The name of a weight in files, where the adapter itself has no name."""
    return name.replace(f".{NAME}.", ".")
