"""The environments are those of Gymnasium, and judge every text as the table says."""

import string

import gymnasium
import numpy as np
import pytest
from examples.integrations import gymnasium_points
from gymnasium.utils.env_checker import check_env
from tests.integrations.parity import STUDIES, Judged, cases, overrides, problems

from shiftgym.errors import ConfigError
from shiftgym.integrations.gymnasium import MAX_TEXT, AnyText, ShiftEnv, ids
from shiftgym.messages import Message

IDS = (*dict(ids()), "shiftgym/study-v0")


def test_the_registered_ids():
    assert set(IDS) == {f"shiftgym/{study}-v0" for study in (*STUDIES, "study")}
    assert set(IDS) <= set(gymnasium.registry)


@pytest.mark.parametrize("name", IDS)
def test_the_checker_of_gymnasium_finds_nothing(name):
    check_env(gymnasium.make(name).unwrapped)


@pytest.mark.parametrize("study", STUDIES)
def test_the_table_is_judged_as_everywhere(study):
    env = gymnasium.make(f"shiftgym/{study}-v0", overrides=overrides(study))
    for case in cases(study):
        _, info = env.reset(options={"split": case.split, "index": case.index})
        assert info["messages"][-1]["role"] == "user"
        told = []
        for text in case.answers:
            observation, reward, terminated, truncated, info = env.step(text)
            told.append(Judged(info["outcome"], reward, info["feedback"]))
            assert observation in env.observation_space
            assert not truncated
            assert terminated == (len(told) == len(case.answers))
        assert tuple(told) == case.judged
        assert info["success"] == case.success
        assert info["total_reward"] == pytest.approx(sum(each.reward for each in case.judged))


def test_an_observation_is_what_is_new_and_info_has_the_conversation():
    env = ShiftEnv("navigation-text")
    prompt, info = env.reset(options={"split": "id", "index": 0})
    assert info["messages"] == [{"role": "user", "content": prompt}]
    said, _, _, _, info = env.step("no")
    assert said == info["feedback"]
    answers = [{"role": "assistant", "content": "no"}, {"role": "user", "content": said}]
    assert info["messages"] == [{"role": "user", "content": prompt}, *answers]
    right = env.problems.task.expert(env.session.episode.decisions[-1].decision)
    following, _, _, _, info = env.step(right)
    assert info["decision"] == 1 and following.startswith(prompt.split("Seen:")[0])
    env.step("no")
    nothing, _, terminated, _, info = env.step("no")
    assert terminated and nothing == "" and info["feedback"]
    assert info["messages"][-1] == {"role": "assistant", "content": "no"}


@pytest.mark.parametrize("study", ["points-vision", "navigation-vision"])
def test_pictures_are_arrays_in_the_observation_and_images_in_the_conversation(study):
    env = ShiftEnv(study)
    (first, _), (again, _, _, _, info) = env.reset(seed=1), env.step("no")
    drawn = np.asarray(env.session.episode.decisions[-1].decision.prompt[0]["pictures"][0].draw())
    for observation in (first, again):
        assert observation["images"].shape == (1, *drawn.shape)
        assert (observation["images"][0] == drawn).all()
    assert again["text"] == info["feedback"]
    assert (np.asarray(info["messages"][0]["content"][1]["image"]) == drawn).all()


@pytest.mark.parametrize("text", ["", "\ud800", "\0", "卡🂡", "x" * (MAX_TEXT + 1)])
def test_any_text_is_judged(text):
    env = gymnasium.make("shiftgym/points-text-v0")
    env.reset(seed=0)
    assert env.step(text)[4]["outcome"] == "illegal"


def test_problems_are_drawn_by_the_seed():
    env = ShiftEnv("points-text", split="id")

    def drawn(**asked):
        info = env.reset(**asked)[1]
        return info["split"], info["index"]

    first, second = drawn(seed=5), drawn()
    assert first != second
    assert (drawn(seed=5), drawn()) == (first, second) != (drawn(seed=6), drawn())
    assert first[0] == "id"
    assert drawn(options={"split": "rule_ood"}, seed=5) == ("rule_ood", first[1])
    assert drawn(options={"index": np.int64(3)}) == ("id", 3)
    few = ShiftEnv("points-text", count=3)
    assert {few.reset(seed=seed)[1]["index"] for seed in range(30)} == {0, 1, 2}
    assert few.reset()[1]["split"] == "train"


def test_keywords_reach_the_task():
    env = gymnasium.make("shiftgym/study-v0", study="ladder", split="target_36", overrides=["task.hint=none"], limit=1)
    prompt, _ = env.reset(seed=0)
    assert prompt.startswith("Make 36")
    _, reward, terminated, _, info = env.step("no")
    assert terminated and reward == -4 and info["attempts"] == 1 and info["feedback"].startswith("That is not right.")
    silent = ShiftEnv(feedback=False, overrides=["task.hint=detail"])
    silent.reset(seed=0)
    assert silent.step("no")[0] == "Try again."


def test_environments_side_by_side():
    envs = gymnasium.make_vec("shiftgym/points-vision-v0", num_envs=2, vectorization_mode="sync", limit=1)
    observations, info = envs.reset(seed=0)
    assert observations["images"].shape == (2, 1, 128, 128, 3)
    alone = [gymnasium.make("shiftgym/points-vision-v0").reset(seed=seed)[1]["index"] for seed in (0, 1)]
    assert list(info["index"]) == alone
    _, rewards, terminated, _, info = envs.step(("no", ""))
    assert terminated.all() and list(rewards) == [-2.5, -2.5] and list(info["outcome"]) == ["wrong_vision"] * 2
    observations, rewards, terminated, _, info = envs.step(("", ""))
    assert not rewards.any() and not terminated.any() and set(alone).isdisjoint(info["index"])


def test_shared_memory_is_refused_which_would_repeat_the_first_text():
    with pytest.raises(ValueError, match="shared_memory=False") as refused:
        gymnasium.make_vec("shiftgym/points-vision-v0", num_envs=1, vectorization_mode="async")
    assert "texts do not come back through shared memory" in str(refused.value.__cause__)


def test_a_text_of_the_space():
    space = AnyText()
    space.seed(0)
    samples = [space.sample() for _ in range(10)]
    assert all(each in space for each in samples) and set("".join(samples)) == set(string.printable)
    assert "" in space and "卡" * MAX_TEXT in space
    assert "x" * (MAX_TEXT + 1) not in space and b"x" not in space
    assert space == AnyText()


def test_what_is_drawn():
    env = gymnasium.make("shiftgym/navigation-text-v0", render_mode="ansi")
    env.reset(seed=0)
    env.step("no")
    shown = env.render()
    base = env.unwrapped
    assert shown.startswith(base.problems.task.sketch(base.session.episode.decisions[-1].decision))
    assert "user: Walk" in shown and "assistant: no" in shown and shown.endswith(base.session.verdict.feedback)
    cards = gymnasium.make("shiftgym/points-vision-v0", render_mode="ansi")
    cards.reset(seed=0)
    assert cards.render().startswith("user: Make 24")


def test_several_messages_are_one_text(monkeypatch):
    env = ShiftEnv("points-text")
    decision = type(env.problems.task.start(env.problems.task.problem("id", 0)))
    prompt: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Go."}]
    monkeypatch.setattr(decision, "prompt", prompt)
    assert env.reset()[0] == "Be brief.\n\nGo."


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"study": "points-txt"}, "did you mean 'points-text'"),
        ({"split": "ood"}, "unknown split 'ood'"),
        ({"count": 0}, "count: 0 is no number of problems; give 1 or more"),
        ({"count": "3"}, "count: '3' is no number of problems"),
        ({"limit": 0}, "limit: 0 is no number of attempts"),
    ],
)
def test_what_cannot_be_made(asked, said):
    with pytest.raises(ConfigError, match=said):
        gymnasium.make("shiftgym/study-v0", **asked)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "ood"}, "unknown split 'ood'"),
        ({"spilt": "id"}, "options: unknown key 'spilt'; did you mean 'split'"),
        ({"index": -1}, "index: -1 is no problem; they are counted from 0"),
        ({"index": "3"}, "index: '3' is no problem"),
    ],
)
def test_what_cannot_be_reset_to(options, said):
    with pytest.raises(ConfigError, match=said):
        ShiftEnv().reset(options=options)


def test_a_step_after_the_end_is_refused():
    assert problems("points-text").splits
    env = ShiftEnv(limit=1)
    env.reset(seed=0)
    env.step("no")
    with pytest.raises(ValueError, match="the episode has ended"):
        env.step("no")


def test_the_example_learns_what_it_was_trained_on_and_nothing_else(capsys):
    gymnasium_points.main(episodes=60, problems=16)
    told = capsys.readouterr().out
    assert "train: success 1.00\nid: success 1.00\nrule_ood: success 0.00\n" in told
