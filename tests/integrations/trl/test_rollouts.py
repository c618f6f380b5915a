"""Exact sequential revision by the model in a GRPOTrainer."""

from types import SimpleNamespace

import pytest
import torch
from tests.integrations.parity import STUDIES, Judged, cases, problems
from tests.integrations.trl.steps import GROUP, QUIET, SOURCE, a_trainer, logged

from shiftgym import Answer, ChatFormat, ConfigError, Transcript, load_policy, model_policy
from shiftgym.episodes import play
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.trl import rollouts
from shiftgym.integrations.trl.data import dataset
from shiftgym.integrations.trl.rewards import reward_funcs, verdict
from shiftgym.integrations.trl.rollouts import rollout_func
from shiftgym.policies.text_chat import TextChat

pytestmark = QUIET

ARGS = {
    "use_vllm": False,
    "use_transformers_continuous_batching": False,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": None,
    "repetition_penalty": 1.0,
    "generation_kwargs": None,
    "max_completion_length": 8,
    "seed": 0,
}


class WrittenChat(TextChat):
    """Gives each decision its own answers, each as two tokens 7 behind a prompt of tokens 1 and 2, and writes what is
    said between answers as token 3."""

    def __init__(self, decisions, answers):
        self.left = {id(decision): iter(texts) for decision, texts in zip(decisions, answers, strict=True)}
        self.written = [len(texts) for texts in answers]
        super().__init__(decisions, lambda talks: [Answer(next(self.left[id(t.decision)]), 2, "end") for t in talks])

    def transcripts(self):
        return [
            Transcript(
                [1, 2, *[7, 7, 3] * count][:-1],
                [(2 + 3 * number, 4 + 3 * number) for number in range(count)],
                [[-0.5, -0.25]] * count,
            )
            for count in self.written
        ]


def attempts_of(record):
    return zip(record.attempts, record.rewards, strict=True)


def a_stub(**args):
    """What a rollout reads of a Trainer besides its model."""
    return SimpleNamespace(
        args=SimpleNamespace(**{**ARGS, **args}),
        tools=args.get("tools", []),
        chat_template_kwargs={},
        temperature=args.get("temperature", 1.0),
        max_completion_length=8,
        state=SimpleNamespace(num_input_tokens_seen=0),
        accelerator=SimpleNamespace(process_index=0),
    )


@pytest.mark.parametrize("study", STUDIES)
def test_every_text_of_the_table_is_judged_alike(study, monkeypatch):
    source, told = problems(study), cases(study, by_decision=True)
    rows = [source.row(case.split, case.index, decision=case.decision) for case in told]
    policy = SimpleNamespace(start=lambda decisions, noise: WrittenChat(decisions, [case.answers for case in told]))
    monkeypatch.setattr(rollouts, "trained_model", lambda *_: (None, SimpleNamespace(pictures=None)))
    monkeypatch.setattr(rollouts, "model_policy", lambda *_, **__: policy)
    monkeypatch.setattr(rollouts, "posed_by", lambda prompt: prompt)
    monkeypatch.setattr(rollouts, "require_as_posed", lambda *_: None)
    found = rollout_func(rows, a_stub())
    for record, case in zip(found["record"], told, strict=True):
        said = [(each.verdict.outcome, reward, each.verdict.feedback) for each, reward in attempts_of(record)]
        assert [Judged(*each) for each in said] == list(case.judged)
    wanted = [sum(each.reward for each in case.judged) for case in told]
    assert verdict([""] * len(told), found["record"]) == wanted
    for at, case in enumerate(told):
        again = len(case.answers) - 1
        assert found["prompt_ids"][at] == [1, 2]
        assert found["completion_ids"][at] == [7, 7, *[3, 7, 7] * again]
        assert found["env_mask"][at] == [1, 1, *[0, 1, 1] * again]
        assert found["logprobs"][at] == [-0.5, -0.25, *[0.0, -0.5, -0.25] * again]


def test_it_is_the_episode_that_play_gives(tiny_points, tmp_path):
    """Tokens, verdicts and log-probabilities; the Trainer computes the same log-probabilities."""
    pytest.importorskip("trl")
    data = dataset(Problems("points-text", overrides=("task.limit=3",)), "train", 3)
    trainer = a_trainer(
        tiny_points,
        tmp_path,
        reward_funcs=reward_funcs,
        rollout_func=rollout_func,
        temperature=0.7,
        train_dataset=data,
    )
    prompts = [prompt for prompt in data["prompt"] for _ in range(2)]
    trainer.model.train()
    found = rollout_func(prompts, trainer)
    assert trainer.model.training

    chat_format = ChatFormat.of(trainer.model, trainer.processing_class)
    policy = model_policy(trainer.model, chat_format, temperature=0.7, max_new_tokens=8, seed=trainer.args.seed)
    task = SOURCE.task
    hands = [task.problem("train", index) for index in (0, 0, 1, 1, 2, 2)]
    noise = [["trl", "train", hand.index, 0, place] for place, hand in enumerate(hands)]
    for at, episode in enumerate(play(policy, task, hands, noise=noise, limit=3)):
        (record,) = episode.decisions
        transcript = record.transcript
        assert found["prompt_ids"][at] + found["completion_ids"][at] == transcript.ids
        assert found["prompt_ids"][at] == chat_format.prompt(record.decision.prompt)
        ours = torch.tensor(found["env_mask"][at]).bool()
        answered, sampled = torch.tensor(found["completion_ids"][at])[ours], torch.tensor(found["logprobs"][at])[ours]
        spans = transcript.spans
        assert answered.tolist() == [token for begin, end in spans for token in transcript.ids[begin:end]]
        assert torch.equal(sampled, torch.tensor([value for answer in transcript.logprobs for value in answer]))
        assert found["record"][at].attempts == record.attempts

        ids = torch.tensor([transcript.ids])
        keep = len(found["completion_ids"][at])
        theirs, _, _ = trainer._get_per_token_logps_and_entropies(trainer.model, ids, torch.ones_like(ids), keep)
        assert torch.allclose(theirs[0][ours], sampled, atol=1e-4)
    assert found["completion_ids"][0] != found["completion_ids"][1], "each of a group has noise of its own"
    trainer.state.num_input_tokens_seen = 1
    assert rollout_func(prompts, trainer)["completion_ids"] != found["completion_ids"], "and each generation"


def test_two_steps_of_sequential_revision(tiny_points, tmp_path):
    trl = pytest.importorskip("trl")
    seen, rolled = [], []

    class Watched(trl.GRPOTrainer):
        def _generate_and_score_completions(self, inputs):
            seen.append(super()._generate_and_score_completions(inputs))
            return seen[-1]

    def keep(prompts, trainer):
        rolled.append(rollout_func(prompts, trainer))
        return rolled[-1]

    trainer = a_trainer(tiny_points, tmp_path, kind=Watched, reward_funcs=reward_funcs, rollout_func=keep)
    before = [weight.clone() for weight in trainer.model.parameters()]
    trainer.train()
    assert len(seen) == len(rolled) == 2
    for found, given in zip(seen, rolled, strict=True):
        for at in range(GROUP):
            mask = given["env_mask"][at]
            assert found["tool_mask"][at, : len(mask)].tolist() == mask
            assert 0 < sum(mask) < len(mask)
    rewards = [[sum(record.rewards) for record in given["record"]] for given in rolled]
    assert list(trainer._logs["rewards"]["verdict"]) == rewards[-1]
    assert logged(trainer, "rewards/verdict/mean") == pytest.approx([sum(each) / GROUP for each in rewards])
    assert before and logged(trainer, "success") == [0, 0]


@pytest.mark.slow
def test_a_training_that_is_resumed_samples_the_same(tiny_points, tmp_path):
    pytest.importorskip("trl")
    rolled = []

    def keep(prompts, trainer):
        rolled.append(rollout_func(prompts, trainer)["completion_ids"])
        return rollout_func(prompts, trainer)

    saved = {"reward_funcs": reward_funcs, "rollout_func": keep, "save_strategy": "steps", "save_steps": 1}
    a_trainer(tiny_points, tmp_path, **saved).train()
    a_trainer(tiny_points, tmp_path, **saved).train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert len(rolled) == 3
    assert rolled[2] == rolled[1] != rolled[0]


@pytest.mark.slow
def test_pictures_reach_the_model_and_the_trainer(tmp_path):
    """With the shipped model that sees; the Trainer computes the log-probabilities that were sampled at."""
    trl = pytest.importorskip("trl")
    model, chat_format = load_policy("points-vision-0")
    rolled, scored = [], []

    class Watched(trl.GRPOTrainer):
        def _get_per_token_logps_and_entropies(self, *args, **kwargs):
            found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
            scored.append(found[0].detach())
            return found

    def keep(prompts, trainer):
        rolled.append(rollout_func(prompts, trainer))
        return rolled[-1]

    trainer = a_trainer(
        None,
        tmp_path,
        kind=Watched,
        model=model,
        processing_class=chat_format.reader,
        train_dataset=dataset(Problems("points-vision", limit=2), "train", 2),
        reward_funcs=reward_funcs,
        rollout_func=keep,
        max_steps=1,
        shuffle_dataset=False,
        num_iterations=2,  # so that log-probabilities of the old policy are computed, in the order of the rollout
    )
    trainer.train()
    (found,) = rolled
    for at in range(GROUP):
        ours = torch.tensor(found["env_mask"][at]).bool()
        sampled = torch.tensor(found["logprobs"][at])[ours]
        assert torch.allclose(scored[0][at, : len(ours)][ours], sampled, atol=1e-4)


def test_a_prompt_that_was_changed_is_refused(tiny_points, tmp_path):
    pytest.importorskip("trl")
    (prompt,) = dataset(SOURCE, "train", 1)["prompt"]
    trainer = a_trainer(tiny_points, tmp_path, reward_funcs=reward_funcs, rollout_func=rollout_func)
    with pytest.raises(ConfigError, match="rollout_func: a prompt is not the one that its row poses"):
        rollout_func([[{"role": "system", "content": "Be brief."}, *prompt]], trainer)


def test_a_conversation_that_outgrows_the_model_ends_where_it_is(tiny_points, tmp_path):
    pytest.importorskip("trl")
    trainer = a_trainer(tiny_points, tmp_path, reward_funcs=reward_funcs, rollout_func=rollout_func)
    prompts = dataset(SOURCE, "train", 1)["prompt"]
    prompt = len(rollout_func(prompts, trainer)["prompt_ids"][0])
    trainer.model.config.max_position_embeddings = prompt + 12
    found = rollout_func(prompts, trainer)
    assert found["env_mask"][0] == [1] * 8
    assert found["record"][0].rewards == [-3, -4]
    trainer.model.config.max_position_embeddings = prompt
    with pytest.raises(ConfigError, match="the prompt of train 0 leaves no room for an answer within the positions"):
        rollout_func(prompts, trainer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("use_vllm", True),
        ("use_transformers_continuous_batching", True),
        ("top_p", 0.9),
        ("top_k", 50),
        ("min_p", 0.1),
        ("repetition_penalty", 1.1),
        ("generation_kwargs", {"num_beams": 2}),
        ("max_completion_length", None),
        ("tools", [print]),
        ("temperature", 0),
        ("temperature", -1.0),
    ],
)
def test_what_cannot_be_exact_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"rollout_func: .*{name}.* cannot be used, since answers are sampled by"):
        rollout_func([], a_stub(**{name: value}))
