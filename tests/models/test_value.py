from pathlib import Path

import torch

from shiftgym.models.value import ValueHead


def test_values_start_at_zero_and_are_float32() -> None:
    values = ValueHead(16, seed=0)(torch.randn(5, 16).bfloat16())
    assert values.shape == (5,)
    assert values.dtype == torch.float32
    assert not values.any()


def test_no_gradient_reaches_the_states_it_reads() -> None:
    states = torch.randn(3, 8, requires_grad=True)
    head = ValueHead(8, seed=0)
    head(states).sum().backward()
    assert states.grad is None
    assert head.outer.weight.grad is not None


def test_its_seed_alone_decides_where_it_starts() -> None:
    a, b, c = ValueHead(8, seed=1), ValueHead(8, seed=1), ValueHead(8, seed=2)
    assert torch.equal(a.inner.weight, b.inner.weight)
    assert not torch.equal(a.inner.weight, c.inner.weight)


def test_it_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    head, other = ValueHead(8, seed=1), ValueHead(8, seed=2)
    head.save(tmp_path)
    other.load(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), other.parameters(), strict=True))
