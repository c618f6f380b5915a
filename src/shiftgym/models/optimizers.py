"""Optimizers: AdamW, AdamW with moments of 8 bits, and Muon for matrices with AdamW for the rest, behind one small
interface."""

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import nn

from shiftgym.errors import ConfigError
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.models.rank_optimizers import ByOwners, ByParts, Make

Name = Literal["adamw", "adamw8bit", "muon"]


def _bitsandbytes() -> Any:
    """The optimizers of bitsandbytes."""
    if find_spec("bitsandbytes") is None:
        raise ConfigError("optimizer adamw8bit needs bitsandbytes: pip install 'shiftgym[bitsandbytes]'")
    return import_module("bitsandbytes.optim")


def _adamw(name: Name, groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
    """AdamW for the weights that `name` leaves over. That of bitsandbytes has float32 moments for bfloat16 weights
    too. On a GPU one kernel does it all, which reads every weight once, not once an operation."""
    if name == "adamw8bit":
        found: torch.optim.Optimizer = _bitsandbytes().AdamW32bit(groups, **options)
        return found
    on_gpu = all(weight.is_cuda for group in groups for weight in group["params"])
    return torch.optim.AdamW(groups, **options, fused=on_gpu or None)


def _for_hidden(name: Name, groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
    """The optimizer of that name, for the weights that are not left to AdamW."""
    if name == "muon":
        return torch.optim.Muon(groups, adjust_lr_fn="match_rms_adamw", weight_decay=options["weight_decay"])
    found: torch.optim.Optimizer = _bitsandbytes().AdamW8bit(groups, **options)
    return found


def _parted(module: nn.Module, name: Name) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The weights that an optimizer of that name is for, and those that AdamW takes."""
    embeddings = {id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    embeddings |= {id(p) for n, p in module.named_parameters() if n.startswith("lm_head.")}
    trained = [p for p in module.parameters() if p.requires_grad]
    hidden = [p for p in trained if name != "adamw" and id(p) not in embeddings]
    if name == "muon":
        hidden = [p for p in hidden if p.ndim == 2]
    ids = {id(p) for p in hidden}
    return hidden, [p for p in trained if id(p) not in ids]


def state_bytes(module: nn.Module, name: Name) -> int:
    """Bytes of the states that an optimizer keeps of a module's weights."""
    hidden, others = _parted(module, name)
    moments = [2 * (4 * p.numel() if name == "adamw8bit" else p.nbytes) for p in others]
    if name == "muon":
        moments += [p.nbytes for p in hidden]
    else:
        # A byte for each value, and a float32 for each block of values; small tensors keep float32.
        moments += [2 * (p.numel() + 4 * -(-p.numel() // 256)) if p.numel() >= 4096 else 8 * p.numel() for p in hidden]
    return sum(moments)


class Optimizer:
    """One or two torch optimizers over a model's parameters, stepped as one.

    Args:
        modules: whose parameters are trained, each with the factor on the learning rate that it gets.
        name: `adamw` for everything, or one of the others for the hidden weights. Embeddings and the output layer stay
            with AdamW, as Muon's authors advise, and the authors of bitsandbytes for `adamw8bit`.
        ranks: the processes that the modules' weights are cut up among, before this is made. All ranks step together,
            and all must ask for `state_dict`, which has values on the first alone.

    Raises:
        ConfigError: bitsandbytes is not installed, and `adamw8bit` is asked for.
    """

    def __init__(
        self,
        modules: list[tuple[nn.Module, float]],
        name: Name,
        learning_rate: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.95),
        ranks: Ranks = ALONE,
    ) -> None:
        chosen: list[dict[str, Any]] = []
        rest: list[dict[str, Any]] = []
        for module, factor in modules:
            hidden, others = _parted(module, name)
            if hidden:
                chosen.append({"params": hidden, "factor": factor})
            if others:
                rest.append({"params": others, "factor": factor})
        self._parts: list[torch.optim.Optimizer | ByParts | ByOwners] = []

        def add(make: Make, groups: list[dict[str, Any]], over_ranks: type[ByParts | ByOwners]) -> None:
            if groups:
                self._parts.append(make(groups) if ranks.alone else over_ranks(make, groups, ranks))

        # The kernels of bitsandbytes take whole tensors alone.
        adamw = ByOwners if name == "adamw8bit" else ByParts
        add(partial(_adamw, name, betas=betas, weight_decay=weight_decay), rest, adamw)
        add(partial(_for_hidden, name, betas=betas, weight_decay=weight_decay), chosen, ByOwners)
        self.set_learning_rate(learning_rate)

    def set_learning_rate(self, learning_rate: float) -> None:
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = learning_rate * group["factor"]

    def step(self) -> None:
        for part in self._parts:
            part.step()

    def zero_grad(self) -> None:
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)
