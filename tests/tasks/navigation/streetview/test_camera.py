"""One view: from coordinates to pixels."""

from PIL import Image

from shiftgym.tasks.navigation.streetview.camera import Camera
from shiftgym.tasks.navigation.streetview.styles import style_of


def test_a_wall_seen_edge_on_is_not_painted():
    canvas = Image.new("RGB", (96, 96))
    camera = Camera(canvas, 0, style_of("new_york").air)
    brick = [Image.new("RGB", (8, 8), "red")]
    camera.wall(brick, (1.0, 10.0), (2.0, 20.0), height=10.0, shade=1.0)
    assert canvas.getbbox() is None
    camera.wall(brick, (1.0, 10.0), (2.5, 20.0), height=10.0, shade=1.0)
    assert canvas.getbbox() is not None
