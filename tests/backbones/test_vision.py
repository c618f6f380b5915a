"""A picture encoder for a text backbone."""

from dataclasses import replace
from pathlib import Path

from shiftgym.backbones import pretrain as pretraining
from shiftgym.backbones.points import SEEN
from shiftgym.backbones.pretrain import Pretraining, pretrain
from shiftgym.backbones.vision import Encoder
from shiftgym.messages import user
from shiftgym.models.loading.load import load_policy

SMALL = Pretraining(
    hidden=16, layers=1, heads=2, feed_forward=32, steps=3, careless_steps=2, tokens_per_step=512, chunk=8,
    tokenizer_problems=200,
)  # fmt: skip
ENCODER = Encoder("points", size=96, patch=16, merged=2, hidden=16, layers=1, heads=2, feed_forward=32)


def test_an_encoder_is_added_to_a_text_backbone_and_is_trained(tmp_path: Path):
    plan = replace(SMALL, encoder=ENCODER, steps=2, careless_steps=1)
    model, chat_format = pretrain(SEEN, 0, tmp_path / "work", plan, lambda step, loss: None)
    pretraining.save(model, chat_format, tmp_path / "model")
    loaded, again = load_policy(str(tmp_path / "model"))
    assert loaded.config.model_type == "idefics3"
    picture = next(iter(SEEN.problems(0, 0, 1, SEEN.habits)))[0][0]["pictures"][0]
    ids = again.prompt([user("Make 24 from the cards in the picture.", picture)])
    assert sum(token < 0 for token in ids) == ENCODER.tokens == 9
    reader = load_policy("points-0")[0]
    assert loaded.get_decoder().config.num_hidden_layers == reader.config.num_hidden_layers
