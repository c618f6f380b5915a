"""What layers of cross-attention cost, beside what torch counts."""

import pytest
import torch
from tests.models.seeing_families import save_seeing
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from shiftgym.models.crossing import crossed, crossing_layers
from shiftgym.models.ledger import ModelShape
from shiftgym.models.loading.load import load_policy

ROWS, TOKENS = 2, 24


@pytest.fixture(scope="module")
def mllama(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    model, _ = load_policy(str(save_seeing("mllama", tmp_path_factory.mktemp("mllama"))))
    model.set_attn_implementation("eager")  # torch counts no fused attention on a CPU
    return model


def counted(model: PreTrainedModel, pictures: int) -> int:
    """FLOPs of the decoder for rows that show so many pictures each, without keys and values of pictures."""
    decoder = model.get_decoder()
    vision, width = model.config.vision_config, decoder.config.hidden_size
    states = pictures * vision.max_num_tiles * ((vision.image_size // vision.patch_size) ** 2 + 1)
    shown = torch.zeros(ROWS, states, width) if pictures else None
    (layer,) = crossing_layers(model)
    keys = 2 * sum(getattr(layer.cross_attn, kind).weight.numel() for kind in ("k_proj", "v_proj"))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        decoder(torch.zeros(ROWS, TOKENS, dtype=torch.long), cross_attention_states=shown, use_cache=False)
    return counter.get_total_flops() - keys * ROWS * states


@pytest.mark.parametrize("pictures", [0, 1, 2])
def test_layers_that_attend_to_pictures_cost_what_torch_counts(mllama: PreTrainedModel, pictures: int) -> None:
    shape = ModelShape.of(mllama).forward_flops(rows=ROWS, new_tokens=TOKENS, context=TOKENS, head_positions=0)
    sizes = {"pictures": ROWS * pictures, "rows": ROWS, "tokens": TOKENS}
    assert shape + crossed(mllama, **sizes) == pytest.approx(counted(mllama, pictures), rel=0.01)
    assert crossed(mllama, **sizes, backward=True) == 2 * crossed(mllama, **sizes)


def test_frozen_layers_have_the_gradient_of_their_input_alone(mllama: PreTrainedModel) -> None:
    sizes = {"pictures": 1, "rows": 1, "tokens": TOKENS}
    whole = crossed(mllama, **sizes, backward=True)
    mllama.requires_grad_(False)
    assert crossed(mllama, **sizes) < crossed(mllama, **sizes, backward=True) < whole
    mllama.requires_grad_(True)


def test_other_models_have_none(tiny_llama: tuple[PreTrainedModel, object]) -> None:
    assert crossing_layers(tiny_llama[0]) == []
    assert crossed(tiny_llama[0], pictures=1, rows=1, tokens=4) == 0
