"""Which problems are for training and which for testing: decided by its identity, so the same in every study."""

import hashlib
from typing import Literal


def kind_of(identity: str, test_share: float) -> Literal["train", "test"]:
    """The side on which every problem of this identity lies; about `test_share` of all identities are `test`."""
    return "test" if hashlib.sha256(identity.encode()).digest()[0] < test_share * 256 else "train"
