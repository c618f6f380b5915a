"""Optimizers: AdamW, and Muon for matrices with AdamW for the rest, behind one small interface."""

from typing import Any, Literal

import torch
from torch import nn

Name = Literal["adamw", "muon"]


class Optimizer:
    """One or two torch optimizers over a model's parameters, stepped as one.

    Args:
        modules: whose parameters are trained, each with the factor on the learning rate that it gets.
        name: `adamw` for everything, or `muon` for the hidden matrices (embeddings and the output layer stay with
            AdamW, as Muon's authors advise).
    """

    def __init__(
        self,
        modules: list[tuple[nn.Module, float]],
        name: Name,
        learning_rate: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.95),
    ) -> None:
        matrices: list[dict[str, Any]] = []
        rest: list[dict[str, Any]] = []
        for module, factor in modules:
            embeddings = {id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
            embeddings |= {id(p) for n, p in module.named_parameters() if n.startswith("lm_head.")}
            trained = [p for p in module.parameters() if p.requires_grad]
            hidden = [p for p in trained if p.ndim == 2 and id(p) not in embeddings] if name == "muon" else []
            chosen = {id(p) for p in hidden}
            others = [p for p in trained if id(p) not in chosen]
            if hidden:
                matrices.append({"params": hidden, "factor": factor})
            if others:
                rest.append({"params": others, "factor": factor})
        self._parts: list[torch.optim.Optimizer] = []
        if rest:
            self._parts.append(torch.optim.AdamW(rest, betas=betas, weight_decay=weight_decay))
        if matrices:
            self._parts.append(torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", weight_decay=weight_decay))
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
