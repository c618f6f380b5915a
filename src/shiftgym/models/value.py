"""The critic: a small network on the hidden state of any causal language model."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shiftgym import seeds

FILE = "value_head.safetensors"


class ValueHead(nn.Module):
    """Expected return of an attempt, read from the trunk's last hidden state at the token that precedes the answer.

    The state is detached: if the critic's loss changes the trunk, training over several attempts collapses.
    """

    def __init__(self, hidden_size: int, seed: int) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden_size, hidden_size)
        self.outer = nn.Linear(hidden_size, 1)
        generator = torch.Generator().manual_seed(seeds.derive(seed, "value_head"))
        with torch.no_grad():
            self.inner.weight.normal_(0, hidden_size**-0.5, generator=generator)
            self.inner.bias.zero_()
            # Values start at zero, the mean of a return that is measured against a baseline.
            self.outer.weight.zero_()
            self.outer.bias.zero_()

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, H) states -> (N,) float32 values."""
        values: Tensor = self.outer(torch.relu(self.inner(hidden.detach().float())))
        return values.squeeze(-1)

    def save(self, folder: Path) -> None:
        save_file(self.state_dict(), folder / FILE)

    def load(self, folder: Path) -> None:
        self.load_state_dict(load_file(folder / FILE))
