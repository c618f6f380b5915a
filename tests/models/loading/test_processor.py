"""Processors are read and saved without torchvision, and lose nothing by it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.models.seeing_families import save_seeing
from transformers import ProcessorMixin

from shiftgym.errors import ConfigError
from shiftgym.models.loading.load import load_policy
from shiftgym.models.loading.processor import load_processor
from shiftgym.models.loading.source import find_source

SETTINGS = {"video_processor_type": "Qwen2VLVideoProcessor", "size": {"longest_edge": 4096, "shortest_edge": 256}}


@pytest.mark.parametrize("place", ["processor_config.json", "video_preprocessor_config.json"])
def test_settings_for_videos_are_kept_and_not_read(place: str, tmp_path: Path) -> None:
    folder = save_seeing("qwen2_5_vl", tmp_path / "model")
    whole: dict[str, Any] = json.loads((folder / "processor_config.json").read_text())
    if place == "processor_config.json":
        (folder / place).write_text(json.dumps({**whole, "video_processor": SETTINGS}))
    else:
        (folder / place).write_text(json.dumps(SETTINGS))
    check = ProcessorMixin.check_argument_for_proper_class
    processor = load_processor(find_source(str(folder)))
    assert ProcessorMixin.check_argument_for_proper_class == check, "processors of others are read as before"
    processor.save_pretrained(tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "processor_config.json").read_text())
    assert saved["video_processor"] == SETTINGS
    assert saved["image_processor"] == whole["image_processor"]
    assert saved["processor_class"] == "Qwen2_5_VLProcessor"
    again = load_processor(find_source(str(tmp_path / "saved")))
    assert again.get_attributes() == ["image_processor", "tokenizer"]


def test_a_processor_without_videos_is_read_as_it_is(tmp_path: Path) -> None:
    processor = load_processor(find_source(str(save_seeing("llava", tmp_path / "model"))))
    assert "get_attributes" not in vars(processor)
    assert not hasattr(processor, "video_processor")


def test_a_processor_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    folder = save_seeing("llava", tmp_path / "model")
    whole = json.loads((folder / "processor_config.json").read_text())
    whole["image_processor"]["image_processor_type"] = "NobodysImageProcessor"
    (folder / "processor_config.json").write_text(json.dumps(whole))
    with pytest.raises(ConfigError, match="its processor cannot be read: Unrecognized image processor") as told:
        load_policy(str(folder))
    assert "\n" not in str(told.value)
