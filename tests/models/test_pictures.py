"""Pictures as one model takes them: tokens with an identity, and inputs that are kept while there is room."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from PIL import Image

from shiftgym.errors import ConfigError
from shiftgym.models import pictures as module
from shiftgym.models.pictures import Pictures


@dataclass(frozen=True)
class Shade:
    """A picture of one shade that counts how often it is drawn."""

    level: int
    drawn = [0]  # noqa: RUF012

    def draw(self) -> Image.Image:
        self.drawn[0] += 1
        return Image.new("RGB", (32, 32), (self.level, self.level, self.level))


@pytest.fixture
def pictures(tiny_seeing: Any) -> Pictures:
    model, processor = tiny_seeing
    Shade.drawn[0] = 0
    return Pictures(processor, model)


def test_equal_pictures_have_the_same_tokens_and_others_have_not(pictures: Pictures) -> None:
    first, again, other = (pictures.tokens(Shade(level)) for level in (1, 1, 2))
    assert first == again and Shade.drawn == [2]
    assert {token for token in first if token < 0} == {-1} and {token for token in other if token < 0} == {-2}
    assert pictures.order([5, *other, 7, *first, *first]) == [1, 0, 0]


def test_inputs_stand_in_the_order_of_their_tokens(pictures: Pictures) -> None:
    for level in (0, 250):
        pictures.tokens(Shade(level))
    there, back = (pictures.inputs(numbers)["pixel_values"] for numbers in ([0, 1], [1, 0]))
    assert there.shape == back.shape and not torch.equal(there, back)
    assert there.float().sum() == pytest.approx(back.float().sum().item(), rel=1e-4)
    assert pictures.inputs([]) == {}
    assert pictures.flops([0, 1, 1]) == 3 * pictures.flops([0]) > 0


def test_the_least_recently_used_inputs_are_dropped_and_drawn_again(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in (0, 250):
        pictures.tokens(Shade(level))
    before = pictures.inputs([0])
    monkeypatch.setattr(module, "CACHE_BYTES", 1)
    pictures.tokens(Shade(9))
    assert Shade.drawn == [3]
    for name, value in pictures.inputs([0]).items():
        assert torch.equal(value, before[name])
    assert Shade.drawn == [4]


def test_positions_count_on_behind_a_picture(pictures: Pictures) -> None:
    if not pictures.rotary:
        return
    ids = [5, 6, *pictures.tokens(Shade(1)), 7]
    positions = pictures.positions(ids)
    assert positions.shape == (3, len(ids))
    assert positions[:, :2].tolist() == [[0, 1]] * 3
    assert positions[:, -1].tolist() == [int(positions[:, :-1].max()) + 1] * 3


def test_a_model_that_reads_pictures_otherwise_is_refused(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing

    @dataclass
    class Other:
        config: Any

    config = type("Config", (), {"model_type": "mllama"})()
    with pytest.raises(ConfigError, match="mllama models cannot be used: they read pictures by cross-attention"):
        Pictures(processor, replace(Other(model.config), config=config))  # type: ignore[arg-type]
