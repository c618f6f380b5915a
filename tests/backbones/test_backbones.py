"""The backbone's tokenizer, corpus and pretraining, and the weights that ship."""

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from shiftgym.backbones import navigation
from shiftgym.backbones import pretrain as pretraining
from shiftgym.backbones.points import CARELESS, CORPUS, HABITS, SEEN
from shiftgym.backbones.pretrain import Pretraining, encode, pretrain
from shiftgym.backbones.tokenizer import train_tokenizer
from shiftgym.backbones.vision import Eyes
from shiftgym.messages import user
from shiftgym.models.chat import ChatFormat
from shiftgym.models.load import load_policy
from shiftgym.models.prefixes import pack_prefix_trees
from shiftgym.models.shipped import WEIGHTS, shipped
from shiftgym.tasks.navigation.directions import COMPASS, RELATIVE
from shiftgym.tasks.navigation.rules import SPACES
from shiftgym.tasks.points.deck import kind_of_hand
from shiftgym.tasks.points.prompts import prompt
from shiftgym.tasks.points.rules import Rule

CARELESS_WALK = navigation.CORPUS.careless
SMALL = Pretraining(
    hidden=16, layers=1, heads=2, feed_forward=32, steps=3, careless_steps=2, tokens_per_step=512, chunk=8,
    tokenizer_problems=200,
)  # fmt: skip


def conversations(seed, chunk, count, habits):
    return [conversation for problem in CORPUS.problems(seed, chunk, count, habits) for conversation in problem]


@pytest.fixture(scope="module")
def corpus():
    return [*conversations(0, 0, 1500, HABITS), *conversations(0, 1, 500, CARELESS)]


@pytest.fixture(scope="module")
def tokenizer(corpus):
    return train_tokenizer((m["content"] for c in corpus for m in c), 512, CORPUS.pieces, CORPUS.numbers)


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


def test_values_symbols_and_operators_are_single_tokens(tokenizer):
    for text in [*map(str, range(120)), *"AJQK+-*/()"]:
        assert len(tokenizer(text, add_special_tokens=False).input_ids) == 1, text


def test_a_prompt_costs_few_tokens(tokenizer):
    messages = prompt(("K", "3", "8", "8"), Rule(11, 12, 13), 24)
    assert len(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)) < 35


@pytest.mark.parametrize("text", ["Ünï 文 173 J", "", "{'cards': ['10']}\n\t<b>", "J counts as 11"])
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_training_text_is_what_the_chat_template_gives(tokenizer, corpus):
    for conversation in islice(corpus, 50):
        ids, wrote = encode(conversation, ChatFormat(tokenizer))
        assert ids == tokenizer.apply_chat_template(conversation, return_dict=False)
        answers = "".join(m["content"] + "<|end|>" for m in conversation if m["role"] == "assistant")
        assert tokenizer.decode([i for i, w in zip(ids, wrote, strict=True) if w]) == answers


def test_the_rate_rises_and_falls_twice():
    plan = Pretraining()
    assert plan.rate(plan.warmup_steps) > plan.rate(0)
    assert plan.rate(plan.steps - 1) < plan.rate(plan.steps + plan.warmup_steps) < plan.careless_learning_rate
    assert plan.rate(plan.all_steps) == 0


def test_pretraining_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch):
    whole, _ = pretrain(CORPUS, 0, tmp_path / "whole", SMALL, lambda step, loss: None)

    save, saves = torch.save, []

    def killed(state, path):
        save(state, path)
        saves.append(path)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(pretraining.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(CORPUS, 0, tmp_path / "cut", SMALL, lambda step, loss: None)
    monkeypatch.undo()
    resumed, _ = pretrain(CORPUS, 0, tmp_path / "cut", SMALL, lambda step, loss: None)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_shipped_backbones_load_and_fit_their_size():
    assert {"points-0", "points-1"} <= set(shipped())
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*.*")) < 25e6
    model, chat_format = load_policy("points-0")
    assert model.num_parameters() < 1e6
    assert chat_format.tokenizer.chat_template


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


EYES = Eyes("points", size=96, patch=16, merged=2, hidden=16, layers=1, heads=2, feed_forward=32)


def test_eyes_are_given_to_a_reader_and_it_learns_to_see(tmp_path: Path):
    plan = replace(SMALL, eyes=EYES, steps=2, careless_steps=1)
    model, chat_format = pretrain(SEEN, 0, tmp_path / "work", plan, lambda step, loss: None)
    pretraining.save(model, chat_format, tmp_path / "model")
    loaded, again = load_policy(str(tmp_path / "model"))
    assert loaded.config.model_type == "idefics3"
    picture = next(iter(SEEN.problems(0, 0, 1, SEEN.habits)))[0][0]["pictures"][0]
    ids = again.prompt([user("Make 24 from the cards in the picture.", picture)])
    assert sum(token < 0 for token in ids) == EYES.tokens == 9
    reader = load_policy("points-0")[0]
    assert loaded.get_decoder().config.num_hidden_layers == reader.config.num_hidden_layers


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
