"""Named, independent random streams. There is no other source of randomness in shiftgym.

`seed + index` makes neighbouring streams share their items, and a global generator makes a result depend on
what ran before it. A stream here is named by the study's seed and the path of names that leads to its use.
"""

import hashlib
import json
import random
from collections.abc import Sequence

Names = Sequence[str | int]
"""The path of names that leads to a stream. The strings are data: renaming code never changes them."""


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` under `seed`, from SHA-256; the same on every machine."""
    digest = hashlib.sha256(json.dumps([seed, *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def rng(seed: int, *names: str | int) -> random.Random:
    """The generator of the stream `names` under `seed`."""
    return random.Random(derive(seed, *names))
