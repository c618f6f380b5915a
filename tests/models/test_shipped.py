"""The weights that ship."""

from shiftgym.models.load import load_policy
from shiftgym.models.shipped import WEIGHTS, shipped


def test_shipped_backbones_load_and_fit_their_size():
    assert {"points-0", "points-1"} <= set(shipped())
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*.*")) < 25e6
    model, chat_format = load_policy("points-0")
    assert model.num_parameters() < 1e6
    assert chat_format.tokenizer.chat_template
