"""A small corpus of points and its tokenizer, made once a session."""

import pytest

from shiftgym.backbones.points import CARELESS, CORPUS, HABITS
from shiftgym.backbones.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def corpus():
    return [
        conversation
        for chunk, count, habits in ((0, 1500, HABITS), (1, 500, CARELESS))
        for problem in CORPUS.problems(0, chunk, count, habits)
        for conversation in problem
    ]


@pytest.fixture(scope="session")
def tokenizer(corpus):
    return train_tokenizer((m["content"] for c in corpus for m in c), 512, CORPUS.pieces, CORPUS.numbers)
