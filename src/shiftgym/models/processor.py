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

_PARTS = "get_attributes"
"""The method of a processor that names its parts. Reading and saving ask it for them."""


def load_processor(source: Source) -> ProcessorMixin:
    """The processor of a model. It prepares pixels by Pillow, so that they are the same whether or not torchvision is
    installed."""
    with _without_videos():
        processor: ProcessorMixin = AutoProcessor.from_pretrained(source.folder, backend="pil", **source.options)  # type: ignore[no-untyped-call]
    parts: list[str] = processor.get_attributes()  # type: ignore[no-untyped-call]
    if VIDEOS in parts:
        read = [part for part in parts if part != VIDEOS]
        setattr(processor, _PARTS, lambda: read)
        if settings := _video_settings(source):
            # Settings that are no part are saved as they are.
            setattr(processor, VIDEOS, settings)
    return processor


@contextmanager
def _without_videos() -> Iterator[None]:
    """Within: processors are read without their part for videos."""
    whole = vars(ProcessorMixin)[_PARTS]

    def parts(kind: type[ProcessorMixin]) -> list[str]:
        return [part for part in whole.__func__(kind) if part != VIDEOS]

    setattr(ProcessorMixin, _PARTS, classmethod(parts))
    try:
        yield
    finally:
        setattr(ProcessorMixin, _PARTS, whole)


def _video_settings(source: Source) -> dict[str, Any] | None:
    """Settings of the part for videos. Old checkpoints keep them with those for pictures."""
    whole = source.find("processor_config.json")
    if whole is not None and VIDEOS in (values := json.loads(whole.read_text(encoding="utf-8"))):
        return dict(values[VIDEOS])
    for name in ("video_preprocessor_config.json", "preprocessor_config.json"):
        if (path := source.find(name)) is not None:
            return dict(json.loads(path.read_text(encoding="utf-8")))
    return None
