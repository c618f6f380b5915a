"""Weights that are cut up among ranks: torch's `fully_shard` (FSDP2), which is ZeRO-3 (Rajbhandari et al. 2020, arXiv
1910.02054).

Each rank holds a part of every weight, of its gradient and of the optimizer's states. A layer's weights are whole only
while it runs: they are gathered before and given up after it, and its gradient is summed over ranks and cut up again.
So all ranks must run the same number of passes. Where they should not have to, as in generation, all weights are
gathered first (`gathered`), and the model is then an ordinary one.

Some weights stay whole on every rank, and their gradients are summed by hand (`models/gradient_sums.py`): those of an
adapter, of a critic, of a format unlike the rest, and quantised ones.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from shiftgym.batching import needing_memory
from shiftgym.models.lora import adapter_weights
from shiftgym.models.parallel import Ranks
from shiftgym.models.prefixes import decoder_layers

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule


def shard(model: PreTrainedModel, ranks: Ranks) -> None:
    """Cut up the weights of a model among the ranks, in place, and move each part to its rank's device. The model may
    lie on the CPU, and be too large for one device."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    # Some models return views of tensors. Nothing here changes them in place, of which torch warns.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
    whole = _left_whole(model)
    for weight in model.parameters():
        if weight in whole and weight.device != ranks.device:
            weight.data = weight.to(ranks.device)
        elif weight not in whole:
            weight.data = weight.data.contiguous()
    options: dict[str, Any] = {
        "mesh": init_device_mesh(ranks.device.type, (ranks.count,)),
        # Weights keep their format in passes; autocast is what changes it. Gradients are summed in float32.
        "mp_policy": MixedPrecisionPolicy(reduce_dtype=torch.float32),
        "ignored_params": whole,
    }
    for layer in dict.fromkeys(decoder_layers(model)):
        fully_shard(layer, **options)
    # What belongs to no layer stays gathered until the backward pass is over: the output embeddings, and where they
    # are tied the input embeddings, are used behind the trunk. An encoder is among it, since not every pass shows
    # pictures.
    fully_shard(model, reshard_after_forward=False, **options)
    for part in _parts(model):
        # A loss is divided by what the whole minibatch has, so gradients are summed and not averaged.
        part.set_gradient_divide_factor(1.0)
        part.set_force_sum_reduction_for_comms(True)
    vars(model)["run_trunk"] = MethodType(_run_base, model)
    register_fsdp_forward_method(model, "run_trunk")


def _left_whole(model: PreTrainedModel) -> set[nn.Parameter]:
    """The weights that are not cut up."""
    adapter = {id(weight) for weight in adapter_weights(model).values()}

    def stays(weight: nn.Parameter) -> bool:
        unlike = weight.requires_grad and weight.dtype != model.dtype
        return id(weight) in adapter or unlike or weight.ndim == 0 or not weight.is_floating_point()

    return {weight for weight in model.parameters() if stays(weight)}


def apart(model: PreTrainedModel) -> dict[int, Any]:
    """Other parameters in the same memory, by the `id` of each weight of a model that is whole. A copy that has them
    may be cut up, and takes no memory for the whole weights until then."""
    whole = _left_whole(model)
    return {
        id(weight): nn.Parameter(weight.detach().clone() if weight in whole else weight.detach(), requires_grad=False)
        for weight in model.parameters()
    }


def _run_base(model: PreTrainedModel, **inputs: Any) -> Any:
    return model.base_model(**inputs)


def is_sharded(model: nn.Module) -> bool:
    """Whether the weights of a model are cut up, and not gathered at the moment."""
    return "run_trunk" in vars(model)


def trunk(model: PreTrainedModel) -> Callable[..., Any]:
    """What runs the trunk of a model. Weights that are cut up are gathered by the whole model alone."""
    found: Callable[..., Any] = vars(model).get("run_trunk", model.base_model)
    return found


@contextmanager
def gathered(model: nn.Module) -> Iterator[None]:
    """Within: every rank has all weights, and may run the model as often as it likes, without gradient. All ranks must
    enter this. A model that is not cut up is left as it is.

    Raises:
        ConfigError: the weights do not fit on the device of this rank.
    """
    if not is_sharded(model):
        yield
        return
    parts = _parts(model)
    with needing_memory("the whole weights do not fit beside this rank's part of them; choose dtype bfloat16"):
        for part in parts:
            part.unshard()
    run, model_attributes = model.run_trunk, vars(model)
    del model_attributes["run_trunk"]
    hooks = [hook for part in parts for hook in _taken(part)]
    try:
        yield
    finally:
        for owner, key, hook in hooks:
            owner[key] = hook
            owner.move_to_end(key, last=False)
        model_attributes["run_trunk"] = run
        give_up(model)


def give_up(model: nn.Module) -> None:
    """Give up the whole weights that passes without a gradient leave behind: those that belong to no layer. No backward
    pass does it. A model that is not cut up is left as it is."""
    if is_sharded(model):
        for part in _parts(model):
            part.reshard()


def _parts(model: nn.Module) -> "list[FSDPModule]":
    """The modules whose weights are gathered and given up together: each layer, and the model for the rest."""
    from torch.distributed.fsdp import FSDPModule

    return [module for module in model.modules() if isinstance(module, FSDPModule)]


def _taken(part: Any) -> list[tuple[Any, int, Any]]:
    """The hooks that gather a module's weights for each pass, taken off: they take time, and some wait for streams,
    which no captured step may do. Each with its dictionary and its key."""
    state = part._get_fsdp_state()
    found = [
        (owner, key, hook)
        for owner in (part._forward_pre_hooks, part._forward_hooks)
        for key, hook in owner.items()
        if getattr(hook, "__self__", None) is state
    ]
    assert len(found) == 2, "one hook before a pass and one after it"
    for owner, key, _ in found:
        del owner[key]
    return found


def is_part(tensor: Any) -> bool:
    """Whether this is the tensor of a weight that is cut up: its type knows the whole, and holds the part."""
    return hasattr(tensor, "full_tensor")


def whole_tensor(tensor: Any) -> Tensor:
    """(...,) the whole of a weight or of its gradient, on every rank. All ranks must ask for it."""
    found: Tensor = tensor.detach().full_tensor() if is_part(tensor) else tensor.detach()
    return found


def local_tensor(tensor: Any) -> Tensor:
    """(...,) what this rank holds of a weight or of its gradient, in the same memory; it may be empty."""
    found: Tensor = tensor.detach().to_local() if is_part(tensor) else tensor.detach()
    return found


def part_of(whole: Tensor, like: Any) -> Tensor:
    """(...,) the rows of `whole` (...,) that this rank holds of a weight that is cut up as `like`."""
    if not is_part(like):
        return whole
    mesh = like.device_mesh
    rows = -(-len(whole) // mesh.size())
    return whole[rows * mesh.get_local_rank() :][:rows]


def joined(part: Tensor, like: Any) -> Tensor:
    """(...,) the whole of which each rank holds a part (...,), cut up as `like`, on every rank. All ranks must ask."""
    from torch.distributed.tensor import DTensor

    mesh, placements = like.device_mesh, like.placements
    cut = DTensor.from_local(part, mesh, placements, run_check=False, shape=like.shape, stride=like.stride())
    return whole_tensor(cut)


def put(whole: Tensor, into: Any) -> None:
    """Write the whole of a weight (...,) into what this rank holds of it."""
    local_tensor(into).copy_(part_of(whole, into))


def whole_state(model: PreTrainedModel, ranks: Ranks) -> dict[str, Tensor] | None:
    """All weights (...,) by name, on the CPU of the first rank; on the others without values. None where they are not
    cut up. It is what `save_pretrained` wants as `state_dict`. All ranks must ask for it."""
    if not is_sharded(model):
        return None
    known: dict[int, Tensor] = {}
    found: dict[str, Tensor] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        if id(value) not in known:
            whole = whole_tensor(value)
            # Tied weights share their memory, by which they are known as tied.
            known[id(value)] = whole.cpu() if ranks.first else whole.new_empty(0)
        found[name] = known[id(value)]
    return found


def load_weights(model: PreTrainedModel, folder: Path) -> None:
    """Put the weights of a model that was saved into this one, which may be cut up."""
    kind: Any = type(model)
    if is_sharded(model):
        from torch.distributed.fsdp import FSDPModule

        # `fully_shard` has made it a class of its own, which stands before that of the model.
        kind = next(each for each in kind.__mro__ if not issubclass(each, FSDPModule))
    saved = kind.from_pretrained(folder, dtype=model.dtype).state_dict()
    if not is_sharded(model):
        model.load_state_dict(saved)
        return
    with torch.no_grad():
        for name, value in model.state_dict(keep_vars=True).items():
            put(saved[name], value)


def hollow(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    """A copy on a device whose weights take no memory, all zero: what it computes is nothing, but it takes as many
    operations as the model, which must be whole still."""
    weights: dict[int, Any] = {}
    for weight in model.parameters():
        nothing = torch.zeros((), dtype=weight.dtype, device=device).expand(weight.shape)
        weights[id(weight)] = nn.Parameter(nothing, requires_grad=weight.requires_grad)
    found = copy.deepcopy(model, weights)
    for name, buffer in list(found.named_buffers()):
        owner, _, last = name.rpartition(".")
        found.get_submodule(owner)._buffers[last] = buffer.to(device)
    return found
