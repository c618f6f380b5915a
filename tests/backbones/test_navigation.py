"""The corpora of the navigation backbones."""

import re

import pytest

from shiftgym.backbones import navigation
from shiftgym.backbones.pretrain import encode
from shiftgym.backbones.tokenizer import train_tokenizer
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.prefixes import pack_prefix_trees
from shiftgym.tasks.navigation.directions import COMPASS, RELATIVE
from shiftgym.tasks.navigation.rules import SPACES

CARELESS_WALK = navigation.CORPUS.careless


@pytest.fixture(scope="module")
def routes():
    return [
        *navigation.conversations(0, 0, 60, navigation.HABITS),
        *navigation.conversations(0, 1, 60, CARELESS_WALK),
    ]


def test_no_answer_uses_a_word_of_another_action_space(routes):
    used = set()
    for conversation in (each for route in routes for each in route):
        sentence = conversation[0]["content"].splitlines()[1]
        (space,) = [space for space in SPACES.values() if space.sentence == sentence]
        used.add(space.name)
        for message in conversation[1::2]:
            for word in re.findall(r"turn_direction\(([^)]*)\)", message["content"]):
                assert word in space.allowed
    assert used == {"absolute", "relative", "bearing", "angle"}


def test_decisions_of_a_route_share_their_history(routes):
    texts = (message["content"] for route in routes for each in route for message in each)
    tokenizer = train_tokenizer(texts, 640, navigation.CORPUS.pieces, navigation.CORPUS.numbers)
    for word in (*COMPASS, *" ".join(RELATIVE).split()):
        assert len(tokenizer(word, add_special_tokens=False).input_ids) == 1, word
    for route in routes[:20]:
        rows = [encode(conversation, ChatFormat(tokenizer))[0] for conversation in route]
        (tree,) = pack_prefix_trees(rows, 1024)
        assert len(tree) < 0.7 * sum(map(len, rows))


def test_careless_answers_are_wrong_more_often():
    def revised(habits):
        talks = [talk for route in navigation.conversations(0, 2, 150, habits) for talk in route]
        return sum(len(talk) > 2 for talk in talks) / len(talks)

    assert revised(CARELESS_WALK) > 1.5 * revised(navigation.HABITS) > 0.02
