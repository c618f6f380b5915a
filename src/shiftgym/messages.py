"""Chat messages as transformers' chat templates and OpenAI-compatible endpoints read them."""

import base64
import io
from collections.abc import Callable
from dataclasses import Field, asdict
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired, Protocol, TypedDict

if TYPE_CHECKING:
    from PIL.Image import Image

Role = Literal["system", "user", "assistant"]


class Picture(Protocol):
    """A frozen dataclass of plain values that say what it shows, so that it can be compared, counted and recorded.
    Pixels are drawn only when they are needed."""

    __dataclass_fields__: "ClassVar[dict[str, Field[Any]]]"

    def draw(self) -> "Image":
        """An RGB image, the same for equal pictures."""
        ...

    def __hash__(self) -> int: ...


class Message(TypedDict):
    role: Role
    content: str
    pictures: NotRequired[tuple[Picture, ...]]
    """They stand behind the text, so that a text that grows from one decision to the next stays a common prefix."""


Messages = list[Message]


def user(content: str, *pictures: Picture) -> Message:
    if pictures:
        return {"role": "user", "content": content, "pictures": pictures}
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def recorded(messages: Messages) -> list[dict[str, Any]]:
    """Messages as plain values: what a picture shows, instead of its pixels."""
    return [
        {**message, "pictures": [asdict(picture) for picture in message["pictures"]]}
        if "pictures" in message
        else dict(message)
        for message in messages
    ]


def parts(message: Message, picture: Callable[[Picture], dict[str, Any]]) -> list[dict[str, Any]]:
    """A message as a list of parts, which is how models, endpoints and trainers that know pictures read it.

    Args:
        picture: the part that stands for a picture.
    """
    return [{"type": "text", "text": message["content"]}, *map(picture, message.get("pictures", ()))]


def marked(message: Message, mark: str = "<image>") -> str:
    """The text of a message with a mark for each picture, for those who put pictures where the marks stand."""
    return message["content"] + mark * len(message.get("pictures", ()))


def png(picture: Picture) -> bytes:
    """A picture as a PNG file."""
    buffer = io.BytesIO()
    picture.draw().save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def data_url(picture: Picture) -> str:
    """A picture as it stands in a page or in a request to an endpoint."""
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
