"""The corpora of the points backbones."""

import re

from shiftgym.backbones.points import CORPUS, HABITS, SEEN
from shiftgym.tasks.points.deck import kind_of_hand
from shiftgym.tasks.points.rules import Rule


def conversations(seed, chunk, count, habits):
    return [conversation for problem in CORPUS.problems(seed, chunk, count, habits) for conversation in problem]


def test_the_shifted_rule_never_stands_in_the_corpus(corpus):
    sentence = Rule(11, 12, 13).sentence
    assert not any(sentence in message["content"] for conversation in corpus for message in conversation)


def test_under_the_training_rule_there_are_training_hands_only(corpus):
    sentence = Rule(10, 10, 10).sentence
    starts = [c[0]["content"] for c in corpus if sentence in c[0]["content"]]
    hands = [tuple(text[text.index("[") + 1 : text.index("]")].replace('"', "").split(", ")) for text in starts]
    assert len(hands) > 100
    assert all(kind_of_hand(hand) == "train" for hand in hands)


def test_the_corpus_is_the_same_for_the_same_seed_and_chunk():
    assert conversations(3, 5, 20, HABITS) == conversations(3, 5, 20, HABITS)
    assert conversations(3, 5, 20, HABITS) != conversations(3, 6, 20, HABITS)


def test_conversations_hold_revisions(corpus):
    assert {len(c) // 2 for c in corpus} >= {1, 2, 3, 4, 5}
    assert all(c[0]["role"] == "user" and c[-1]["role"] == "assistant" for c in corpus)


def test_what_a_seeing_backbone_reads_names_no_card_in_its_prompt():
    for (conversation,) in SEEN.problems(0, 3, 200, SEEN.habits):
        first = conversation[0]
        assert len(first["pictures"]) == 1
        assert "the cards in the picture" in first["content"]
        assert all("pictures" not in message for message in conversation[1:])
        rule = re.search(r"J counts as (\d+), Q as (\d+) and K as (\d+)", first["content"])
        assert rule.groups() != ("11", "12", "13")
    pictures = [c[0]["pictures"][0] for (c,) in SEEN.problems(0, 3, 400, SEEN.habits)]
    assert {suit for picture in pictures for _, suit in picture.cards} == {"S", "C"}
    assert {picture.design for picture in pictures} == {"classic"}
