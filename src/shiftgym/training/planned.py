"""How much memory a branch takes: its model with everything that training puts beside it."""

import torch
from torch import nn
from transformers import PreTrainedModel

from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.models.footprint import FLOAT, Learned, ModelMemory
from shiftgym.models.lora import linear_sizes, targeted
from shiftgym.models.optimizers import Name, state_bytes
from shiftgym.models.parts import freeze
from shiftgym.models.precision import training_dtype
from shiftgym.models.prefixes import decoder_config, decoder_layers
from shiftgym.models.value import ValueHead
from shiftgym.training.footprint import Footprint, Held, OverRanks
from shiftgym.training.settings import LoraSettings, TrainingSettings


def planned_footprint(
    model: PreTrainedModel,
    settings: TrainingSettings,
    *,
    learned: ConversationSizes,
    answered: ConversationSizes,
    gradient_checkpointing: bool,
    device: str,
    critic: bool,
    copies: int,
    probed: bool,
    iteration: int,
    batch: int,
) -> Footprint:
    """What a branch with these settings takes.

    Args:
        model: on the device `meta`, which is enough. What the settings freeze is frozen in it.
        learned: what it learns from.
        answered: what it answers, in rollouts or in evaluation.
        device: type of the device that training is for.
        critic: whether there is a value head.
        copies: further models beside it.
        probed: whether one of them is probed together with the model.
        iteration: decisions that are to be answered at the same time in rollouts.
        batch: the same in the evaluation.

    Raises:
        ConfigError: the model has no layers or parts that the settings name.
    """
    freeze(model, settings.frozen)
    trained: nn.Module = model if settings.lora is None else _adapter(model, settings.lora)
    learns = _held(trained, settings.optimizer.name, copies)
    weights = sum(each.nbytes for each in model.parameters())
    if settings.lora is None:
        shared, own = learns, Held()
    else:
        shared, own = Held(weights=weights), learns
    if critic:
        # It is a part of no copy, and counts as a state.
        head = _held(ValueHead(decoder_config(model).hidden_size, 0), settings.optimizer.name, 0)
        own += Held(gradients=head.gradients, optimizer=head.weights + head.optimizer)
    memory, precision = ModelMemory.of(model), training_dtype(settings.precision, torch.device(device))
    how: Learned = "weights" if settings.lora is None else "adapter"
    width = min(memory.width, precision.itemsize)

    def of_pass(tokens: int) -> tuple[int, int]:
        activations, logits = memory.training(
            learned,
            tokens,
            width=width,
            learned=how,
            seeing="nothing" if "vision" in settings.frozen else how,
            gradient_checkpointing=gradient_checkpointing,
            device=device,
        )
        # Under autocast the weights are there in the format of the pass, too.
        return activations + (weights * width // memory.width if width < memory.width else 0), logits

    activations, logits = of_pass(settings.tokens_per_pass)

    return Footprint(
        shared=shared,
        own=own,
        over_ranks=OverRanks(
            copies=copies * weights,
            whole=weights * (1 + probed),
            layers=_gathered(model, with_gradients=settings.lora is None),
            stepped=0 if settings.optimizer.name == "adamw" else learns.weights,
        ),
        activations=activations,
        logits=logits,
        one=sum(of_pass(1)),
        row=memory.row(answered),
        iteration=iteration,
        batch=batch,
    )


def _held(module: nn.Module, optimizer: Name, copies: int) -> Held:
    """Weights, gradients and states of a module, and copies of what of it is trained; the rest they share with it."""
    trained = sum(weight.nbytes for weight in module.parameters() if weight.requires_grad)
    return Held(
        weights=sum(weight.nbytes for weight in module.parameters()),
        copies=copies * trained,
        gradients=trained,
        optimizer=state_bytes(module, optimizer),
    )


def _gathered(model: PreTrainedModel, *, with_gradients: bool) -> int:
    """Bytes that a pass over sharded weights has whole at the same time: of what lies outside the decoder's layers, of
    the layer at work, and of the next one, which is fetched meanwhile. A gradient is there as it is found, and as the
    float32 that is summed over ranks."""

    def size(module: nn.Module) -> int:
        weights = list(module.parameters())
        trained = [weight for weight in weights if weight.requires_grad and with_gradients]
        found = sum(weight.nbytes for weight in weights)
        return found + sum(weight.nbytes + FLOAT * weight.numel() for weight in trained)

    layers = sorted(map(size, decoder_layers(model)))
    return size(model) - sum(layers) + sum(layers[-2:])


def _adapter(model: PreTrainedModel, lora: LoraSettings) -> nn.Module:
    """Weights like those of the adapter that the model would get, on the device `meta`."""
    sizes = [linear_sizes(model.get_submodule(name)) for name in targeted(model, lora.targets)]
    factors = [shape for inputs, outputs in sizes for shape in ((lora.rank, inputs), (outputs, lora.rank))]
    return nn.ParameterList([nn.Parameter(torch.empty(shape, device="meta")) for shape in factors])
