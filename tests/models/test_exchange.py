"""Episodes are told so that another process, whose pictures have other numbers, has the same ones."""

import pickle
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import pytest

from shiftgym.batching import BatchLimit
from shiftgym.episodes import Episode
from shiftgym.models.exchange import ToldEpisode, in_order_of_appearance, play_over
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.parallel import Ranks
from shiftgym.models.player import Player
from shiftgym.tasks.registry import build_task


@pytest.fixture(scope="module")
def make_player() -> Callable[..., Player]:
    """Makes a player that has seen nothing yet."""

    def make(name: str = "points-vision-0") -> Player:
        model, chat_format = load_policy(name)
        task = build_task("points", options={"modality": "vision" if "vision" in name else "text", "limit": 2})
        return Player(
            model, chat_format, task, seed=0, ledger=Ledger(ModelShape.of(model)), max_new_tokens=4,
            decision_limit=BatchLimit(2),
        )  # fmt: skip

    return make


def played(player: Player, indices: Sequence[int]) -> list[Episode]:
    return player.play("train", indices, [["test", index] for index in indices])


def test_an_episode_is_told_with_its_pictures(make_player: Any) -> None:
    here, there = make_player(), make_player()
    played(there, [5, 1])
    episodes = played(here, [1, 2, 5])
    told = pickle.loads(pickle.dumps([ToldEpisode.of(each, here.chat_format.pictures) for each in episodes]))  # noqa: S301
    again = [each.episode(there.task, there.chat_format.pictures) for each in told]
    assert [each.record() for each in again] == [each.record() for each in episodes]
    for mine, its in zip(episodes, again, strict=True):
        prompt = mine.decisions[0].decision.prompt
        numbers = [player.chat_format.prompt(prompt) for player in (here, there)]
        assert numbers[0] != numbers[1]
        assert [each.decisions[0].transcript.ids[: len(numbers[0])] for each in (mine, its)] == numbers
    scored = [list(chain(*each.logprobs(each.conversations(of)))) for each, of in ((here, episodes), (there, again))]
    assert scored[0] == pytest.approx(scored[1], abs=1e-5)


def test_a_process_that_has_seen_nothing_draws_what_it_is_told_of(make_player: Any) -> None:
    here, there = make_player(), make_player()
    (episode,) = played(here, [3])
    again = ToldEpisode.of(episode, here.chat_format.pictures).episode(there.task, there.chat_format.pictures)
    assert there.chat_format.flops([0]) == here.chat_format.flops([0]) > 0
    assert len(there.logprobs(there.conversations([again]))) == 1


def test_pictures_are_numbered_as_they_appear() -> None:
    assert in_order_of_appearance([[5, -8, -8, 1], [-3, 2, -8]]) == [[5, -1, -1, 1], [-2, 2, -1]]
    assert in_order_of_appearance([[5, -2, -2, 1], [-9, 2, -2]]) == [[5, -1, -1, 1], [-2, 2, -1]]


class Recorded(Ranks):
    """Does all the work in turn, as two ranks would."""

    def spread(self, items: Any, work: Any, meter: Any = None) -> Any:
        found: list[Any] = [None] * len(items)
        for rank in range(2):
            found[rank::2] = work(items[rank::2])
        return found


@pytest.mark.parametrize(("indices", "shares"), [((4, 4, 7, 7, 9), [3, 2]), ((4, 4, 4, 4), [2, 2])])
def test_one_rank_plays_the_episodes_of_a_problem_if_there_is_enough_for_all(
    make_player: Any, indices: tuple[int, ...], shares: list[int]
) -> None:
    player, ranks = make_player("points-0"), Recorded(0, 2)
    problems = [player.task.problem("train", index) for index in indices]
    named = [(problem, ["test", at]) for at, problem in enumerate(problems)]
    asked = []

    def play(share: Any) -> list[Episode]:
        asked.append(len(share))
        return player._play(share, None, True)

    found = play_over(ranks, named, play, player.task, player.chat_format.pictures, player.ledger)
    expected = player.play("train", indices, [names for _, names in named])
    assert asked == shares
    assert [each.record() for each in found] == [each.record() for each in expected]
