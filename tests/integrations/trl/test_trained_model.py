"""The model in a Trainer. A training meets what is refused; see also `test_callback.py`."""

from types import SimpleNamespace

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from shiftgym.errors import ConfigError
from shiftgym.integrations.trl.trained_model import trained_model
from shiftgym.messages import user


def stub(**given):
    return SimpleNamespace(**{"is_fsdp_enabled": False, "processing_class": None, **given})


def test_a_model_and_how_its_conversations_are_written(tiny_points):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_points), AutoTokenizer.from_pretrained(tiny_points)
    tokenizer.chat_template = "{{ name }}" + tokenizer.chat_template
    found, chat_format = trained_model(stub(model=model, processing_class=tokenizer), "x", {"name": "J"})
    assert found is model
    assert chat_format.tokenizer.decode(chat_format.prompt([user("Q")])) == "J<|user|>Q<|end|><|assistant|>"


def test_who_asks_is_named(tiny_points):
    model = AutoModelForCausalLM.from_pretrained(tiny_points)
    with pytest.raises(ConfigError, match="rollout_func: the Trainer's processing_class is NoneType; give the Trainer"):
        trained_model(stub(model=model), "rollout_func")
    with pytest.raises(ConfigError, match="rollout_func: the model's weights are spread over processes"):
        trained_model(stub(model=model, is_fsdp_enabled=True), "rollout_func")
