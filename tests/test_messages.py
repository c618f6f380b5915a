"""Chat messages and the pictures in them."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from shiftgym.messages import assistant, data_url, parts, png, recorded, user


@dataclass(frozen=True)
class Square:
    colour: str

    def draw(self):
        return Image.new("RGB", (4, 4), self.colour)


RED = Square("red")


def test_a_message_has_pictures_only_where_something_is_shown():
    assert user("Hello.") == {"role": "user", "content": "Hello."}
    assert assistant("Hello.") == {"role": "assistant", "content": "Hello."}
    assert user("Hello.", RED, RED)["pictures"] == (RED, RED)


def test_a_record_tells_what_a_picture_shows_and_leaves_the_message_as_it_was():
    messages = [user("See.", RED), assistant("A square.")]
    assert recorded(messages) == [
        {"role": "user", "content": "See.", "pictures": [{"colour": "red"}]},
        {"role": "assistant", "content": "A square."},
    ]
    assert messages[0]["pictures"] == (RED,)


def test_parts_are_the_text_and_then_each_picture():
    found = parts(user("See.", RED, Square("blue")), lambda picture: {"type": "image", "of": picture.colour})
    assert found == [{"type": "text", "text": "See."}, {"type": "image", "of": "red"}, {"type": "image", "of": "blue"}]


def test_a_png_is_the_picture_without_loss():
    with Image.open(io.BytesIO(png(RED))) as image:
        assert image.format == "PNG" and image.tobytes() == RED.draw().tobytes()
    head, _, data = data_url(RED).partition(",")
    assert head == "data:image/png;base64" and base64.b64decode(data) == png(RED)
