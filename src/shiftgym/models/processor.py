"""The processor of a model that sees: its tokenizer and what prepares its pictures.

A part for videos is left out. No task shows any, and it cannot be read without torchvision, nor by Pillow. Its settings
are kept and saved again, so that others can load a checkpoint whole.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import AutoProcessor, ProcessorMixin

from shiftgym.models.source import Source

VIDEOS = "video_processor"
"""What processors call their part for videos."""


def load_processor(source: Source) -> ProcessorMixin:
    """The processor of a model. It prepares pixels by Pillow, so that they are the same whether or not torchvision is
    installed."""
    with _without_videos():
        processor: ProcessorMixin = AutoProcessor.from_pretrained(source.path, backend="pil", **source.options)  # type: ignore[no-untyped-call]
    parts = processor.get_attributes()
    if VIDEOS in parts:
        read = [part for part in parts if part != VIDEOS]
        # Saving asks the processor for its parts, and writes settings that are no part as they are.
        processor.get_attributes = lambda: read
        if settings := _video_settings(source):
            setattr(processor, VIDEOS, settings)
    return processor


@contextmanager
def _without_videos() -> Iterator[None]:
    """Processors are read without their part for videos."""
    whole = ProcessorMixin.__dict__["get_attributes"]

    def get_attributes(cls: type[ProcessorMixin]) -> list[str]:
        return [part for part in whole.__func__(cls) if part != VIDEOS]

    ProcessorMixin.get_attributes = classmethod(get_attributes)
    try:
        yield
    finally:
        ProcessorMixin.get_attributes = whole


def _video_settings(source: Source) -> dict[str, Any] | None:
    """Settings of the part for videos. Old checkpoints keep them with those for pictures."""
    files = [
        ("processor_config.json", VIDEOS),
        ("video_preprocessor_config.json", ""),
        ("preprocessor_config.json", ""),
    ]
    for name, key in files:
        path = source.find(name)
        values = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        found: dict[str, Any] | None = values.get(key) if key else values
        if found:
            return found
    return None
