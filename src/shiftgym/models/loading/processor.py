"""The processor of a model that sees: its tokenizer and what prepares its pictures.

A part for videos is left out. No task shows any, and it cannot be read without torchvision, nor by Pillow. Its settings
are kept and saved again, so that others can load a checkpoint whole.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import AutoProcessor, ProcessorMixin

# Without torchvision transformers offers an empty stand-in by this name.
from transformers.models.auto.video_processing_auto import AutoVideoProcessor

from shiftgym.models.loading.source import Source

VIDEOS = "video_processor"
"""What processors call their part for videos."""

_READ, _CHECK, _PARTS = "from_pretrained", "check_argument_for_proper_class", "get_attributes"
"""The methods of transformers that read a part of a processor, check it, and name all parts, which saving asks for."""


def load_processor(source: Source) -> ProcessorMixin:
    """The processor of a model. It prepares pixels by Pillow, so that they are the same whether or not torchvision is
    installed."""
    with without_videos():
        processor: ProcessorMixin = AutoProcessor.from_pretrained(source.path, backend="pil", **source.options)  # type: ignore[no-untyped-call]
    leave_out_videos(processor, _video_settings(source))
    return processor


@contextmanager
def without_videos() -> Iterator[None]:
    """Within: processors are made with None as their part for videos."""
    read, check = vars(AutoVideoProcessor)[_READ], vars(ProcessorMixin)[_CHECK]

    def checked(processor: ProcessorMixin, name: str, part: Any) -> Any:
        return None if name == VIDEOS and part is None else check(processor, name, part)

    setattr(AutoVideoProcessor, _READ, lambda *_, **__: None)
    setattr(ProcessorMixin, _CHECK, checked)
    try:
        yield
    finally:
        setattr(AutoVideoProcessor, _READ, read)
        setattr(ProcessorMixin, _CHECK, check)


def leave_out_videos(processor: ProcessorMixin, settings: dict[str, Any] | None = None) -> None:
    """A processor that was made so no longer counts videos among its parts.

    Args:
        settings: of its part for videos, which are saved with it.
    """
    parts: list[str] = processor.get_attributes()  # type: ignore[no-untyped-call]
    if VIDEOS in parts:
        read = [part for part in parts if part != VIDEOS]
        setattr(processor, _PARTS, lambda: read)
        delattr(processor, VIDEOS)
        if settings is not None:
            # Settings that are no part are saved as they are.
            setattr(processor, VIDEOS, settings)


def _video_settings(source: Source) -> dict[str, Any] | None:
    """Settings of the part for videos. Old checkpoints keep them with those for pictures."""
    whole = source.find("processor_config.json")
    if whole is not None and VIDEOS in (values := json.loads(whole.read_text(encoding="utf-8"))):
        return dict(values[VIDEOS])
    for name in ("video_preprocessor_config.json", "preprocessor_config.json"):
        if (path := source.find(name)) is not None:
            return dict(json.loads(path.read_text(encoding="utf-8")))
    return None
