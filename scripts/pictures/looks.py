"""What a look is: the same cards and streets as the splits of the vision studies show them."""

import base64
import io
from collections.abc import Sequence

from PIL.Image import Image
from scripts.pictures.drawing import SMALL, WIDTH, picture, text

from shiftgym import Picture, load_study

MARGIN, GAP = 16.0, 8.0

DECKS = {"id": "as in training", "look_ood": "look_ood", "look_far": "look_far"}
"""Split of `points-vision` -> what stands below its picture."""

CITIES = (
    "new_york", "milan", "new_delhi", "buenos_aires", "london", "hong_kong", "melbourne", "lagos", "san_francisco",
)  # fmt: skip


def points() -> str:
    """Hand 0 of three splits that differ in their look."""
    task = load_study("points-vision", ["task.size=256"]).build_task()
    shown = [(task.start(task.problem(split, 0)).prompt[-1]["pictures"][0], told) for split, told in DECKS.items()]
    return _sheet("Looks of GeneralPoints", "Black suits, red suits, handwritten: hand 0 of each split", shown, 92)


def navigation() -> str:
    """The first view of route 0 in each of the nine cities."""
    shown = []
    for city in CITIES:
        task = load_study("navigation-vision", [f"splits.id.city={city}"]).build_task()
        (view,) = task.start(task.problem("id", 0)).prompt[-1]["pictures"]
        told = city.replace("_", " ").title()
        shown.append((view, f"{told}: training" if city == CITIES[0] else told))
    return _sheet("Looks of V-IRL", "Where route 0 begins, in each of the nine cities", shown, None)


def _sheet(title: str, below: str, shown: Sequence[tuple[Picture, str]], height: float | None) -> str:
    """Pictures in rows of three, each with a line below it.

    Args:
        height: of a picture, of which the middle is shown; by default it is shown whole.
    """
    side = (WIDTH - 2 * MARGIN - 2 * GAP) / 3
    height = height or side
    parts = [text(MARGIN, 28, title, "bold"), text(MARGIN, 47, below, "muted", SMALL)]
    y = 60.0
    for number, (one, told) in enumerate(shown):
        row, column = divmod(number, 3)
        x, y = MARGIN + column * (side + GAP), 60 + row * (height + 26)
        parts.append(_image(one.draw(), x, y, side, height))
        parts.append(text(x + side / 2, y + height + 15, told, "", SMALL, "middle"))
    told = "; ".join(told for _, told in shown)
    return picture(y + height + 28, title, f"{below}: {told}.", parts)


def _image(image: Image, x: float, y: float, width: float, height: float) -> str:
    """The middle of a square image."""
    cut = round(image.height * (1 - height / width) / 2)
    buffer = io.BytesIO()
    image.crop((0, cut, image.width, image.height - cut)).save(buffer, "JPEG", quality=85, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<image {place} href="data:image/jpeg;base64,{data}"/>'
