"""A model over ranks learns what it learns in one process, and is saved as one process saves it."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.groups import run_group
from tests.models.rank_cases import CASES, FEW, SAVED, Case, go_on, learn_all, learned, places, player_of, save
from torch import Tensor

from shiftgym.models.parallel import ALONE
from shiftgym.models.sharding import hollow, load_weights, whole_state

Groups = dict[int, Path]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Groups:
    """What two and three ranks have written. The three go on from what one process made of what the two had saved."""
    folder = tmp_path_factory.mktemp("groups")
    run_group(2, learn_all, made(folder / "2"), tuple(CASES), None, folder=folder / "logs-2")
    for name in SAVED:
        go_on(name, ALONE, folder / "2" / name, folder / "1" / name)
    run_group(3, learn_all, made(folder / "3"), FEW, folder / "1", folder=folder / "logs-3")
    return {count: folder / str(count) for count in (1, 2, 3)}


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def alone() -> Callable[[str], dict[str, Any]]:
    """What one process comes to in a case."""
    known: dict[str, dict[str, Any]] = {}

    def find(name: str) -> dict[str, Any]:
        if name not in known:
            known[name] = learned(name, ALONE)
        return known[name]

    return find


def read(path: Path) -> Any:
    return torch.load(path, weights_only=False)


def flat(values: Any) -> list[float]:
    return list(chain(*values))


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """How far two sets of tensors are from each other, as a share of their length."""
    assert one.keys() == other.keys()
    first, second = (torch.cat([each[name].detach().double().flatten() for name in one]) for each in (one, other))
    return float((first - second).norm() / first.norm())


@pytest.mark.parametrize("name", CASES)
def test_ranks_learn_what_one_process_learns(name: str, groups: Groups, alone: Any) -> None:
    expected, case = alone(name), CASES[name]
    exact = case.dtype == "float32"
    for count in (2, 3) if name in FEW else (2,):
        found, last = read(groups[count] / "first.pt")[name], read(groups[count] / "last.pt")[name]
        assert found["answers"] == expected["answers"]
        assert flat(found["sampled"]) == pytest.approx(flat(expected["sampled"]), abs=1e-5 if exact else 0.05)
        assert flat(found["scored"]) == pytest.approx(flat(expected["scored"]), abs=1e-5 if exact else 0.05)
        assert flat(found["values"]) == pytest.approx(flat(expected["values"]), abs=1e-5)
        assert distance(expected["gradients"], found["gradients"]) < (1e-5 if exact else 0.01)
        assert found["norms"] == pytest.approx(expected["norms"], rel=1e-3 if exact else 0.05)
        # Where a gradient is zero but for rounding, AdamW makes a whole step of it.
        assert distance(expected["weights"], found["weights"]) < (1e-4 if exact else 0.01)
        assert found["divergences"] == pytest.approx(expected["divergences"], rel=0.01 if exact else 1, abs=1e-3)
        for kind in ("tokens_trained", "tokens_generated", "tokens_prompt"):
            assert found["ledger"][kind] == expected["ledger"][kind]
        for kind in ("forward_flops", "backward_flops"):
            # Each rank reads what its own prompts have in common.
            assert found["ledger"][kind] == pytest.approx(expected["ledger"][kind], rel=0.02)
        for what in ("answers", "sampled", "scored", "values", "norms", "divergences", "ledger"):
            assert found[what] == last[what], "all ranks know the same"
        assert distance(found["weights"], last["weights"]) == 0


@pytest.mark.parametrize("name", SAVED)
def test_what_is_saved_goes_on_with_any_number_of_ranks(name: Any, groups: Groups, tmp_path: Path) -> None:
    before = None
    for step, count in enumerate((2, 1, 3)):
        go_on(name, ALONE, before, tmp_path / str(step))
        before = tmp_path / str(step)
        expected, found = (read(folder / "optimizer.pt") for folder in (before, groups[count] / name))
        for one, other in zip(expected, found, strict=True):
            assert one["param_groups"] == other["param_groups"]
            assert list(one["state"]) == list(other["state"])
            for state, same in zip(one["state"].values(), other["state"].values(), strict=True):
                assert form(state) == form(same)
        files = [{each.name for each in folder.iterdir()} for folder in (before, groups[count] / name)]
        assert files[0] == files[1]
    one, other = (player_of(Case("points-0"), ALONE)[0].model for _ in range(2))
    load_weights(one, tmp_path / "2")
    load_weights(other, groups[3] / name)
    assert distance(dict(one.named_parameters()), dict(other.named_parameters())) < 2e-4
    moments = [dict(tensors(read(folder / "optimizer.pt"))) for folder in (tmp_path / "2", groups[3] / name)]
    assert distance(*moments) < 0.02


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in some states, by name."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from tensors(each, f"{name}.{key}")


def form(value: Any) -> Any:
    """What stays if the numbers of some states are left out."""
    if isinstance(value, dict):
        return {name: form(each) for name, each in value.items()}
    return (value.shape, value.dtype, value.device) if isinstance(value, Tensor) else value


def test_the_files_of_a_model_have_the_bytes_that_one_process_writes(groups: Groups, tmp_path: Path) -> None:
    player, _ = player_of(Case("points-0"), ALONE)
    assert whole_state(player.model, ALONE) is None
    save(player, tmp_path)
    found = {path.name: path.read_bytes() for path in (groups[2] / "saved").iterdir()}
    assert found == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_weights_are_cut_up_and_gathered(groups: Groups) -> None:
    whole = places(ALONE)["bytes"]
    for count in (2, 3):
        for file in ("first.pt", "last.pt"):
            found = read(groups[count] / file)["places"]
            cut, within, deeper, again, after, failed = found["seen"]
            assert cut == after == failed
            assert cut[0] > 0
            assert cut[2]
            assert within == deeper == again == (0, 0, False)
            assert found["bytes"] < 1.1 * whole / count
            assert not found["finite"], "one rank has met a NaN"


def test_a_hollow_model_takes_no_memory_for_weights() -> None:
    model = player_of(Case("points-0"), ALONE)[0].model
    found = hollow(model, torch.device("cpu"))
    assert [weight.shape for weight in found.parameters()] == [weight.shape for weight in model.parameters()]
    assert all(weight.untyped_storage().nbytes() == weight.itemsize for weight in found.parameters())
    with torch.no_grad():
        assert not found(torch.zeros(1, 4, dtype=torch.long)).logits.any()
