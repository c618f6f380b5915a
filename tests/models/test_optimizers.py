import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from shiftgym.models.optimizers import Optimizer
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
