"""Pictures as one model takes them: tokens with an identity, and inputs that are kept while there is room."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from PIL import Image

from shiftgym.errors import ConfigError
from shiftgym.models.conversations import pictures as module
from shiftgym.models.conversations.pictures import Pictures


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


def test_rows_padded_on_the_left_have_their_pictures_where_they_stand(pictures: Pictures) -> None:
    shown = [pictures.tokens(Shade(level)) for level in (1, 2)]
    rows = [[0, 0, *shown[0], 7], [5, *shown[1], *shown[0]]]
    width = max(map(len, rows))
    found = pictures.batch(rows, width)
    kinds = found.pop("mm_token_type_ids", None)
    if kinds is not None:
        assert kinds.tolist() == [[int(token < 0) for token in row] + [0] * (width - len(row)) for row in rows]
    flat = pictures.inputs([0, 1, 0])
    assert found.keys() == flat.keys()
    # Either all pictures are in one list, or each row has its own.
    assert found["pixel_values"].shape[0] in (flat["pixel_values"].shape[0], len(rows))


def test_any_rows_are_in_one_batch_unless_pictures_are_read_by_cross_attention(pictures: Pictures) -> None:
    shown = pictures.tokens(Shade(1))
    assert not pictures.crosses
    assert pictures.beside([5, *shown]) == pictures.beside([5]) == pictures.beside([*shown, 5, *shown])


def test_a_model_without_a_token_for_pictures_is_refused_in_one_line(tiny_seeing: Any, tiny_llama: Any) -> None:
    model, processor = tiny_seeing
    with pytest.raises(ConfigError, match=r"llama models cannot be used: its config.json has no image_token_id"):
        Pictures(processor, tiny_llama[0])
    with pytest.raises(ConfigError, match="cannot be used: its processor has no image_token, so nothing says"):
        Pictures(tiny_llama[1], model)
