"""verl's reward function: without verl, and as verl's reward manager calls for it on a row of the parquet."""

import asyncio

import pytest
from tests.integrations.parity import STUDIES, cases, problems
from tests.integrations.verl_worker import WEIGHTS, config, processor_of

from shiftgym.errors import DataError
from shiftgym.integrations.problems import opened
from shiftgym.integrations.rows import verl_rows
from shiftgym.integrations.verl import compute_score, scored
from shiftgym.tasks.export import expert_rows, write_rows
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD


@pytest.mark.parametrize("study", STUDIES)
def test_one_attempt_is_judged_as_everywhere(study):
    source = problems(study)
    for case in cases(study, by_decision=True):
        row = source.row(case.split, case.index, decision=case.decision)
        for number, (text, wanted) in enumerate(zip(case.answers, case.judged, strict=True), start=1):
            last = number == len(case.answers)
            assert compute_score("shiftgym", text, "", row, reward_router_address=None) == {
                "score": wanted.reward - (OUT_OF_ATTEMPTS_REWARD if last and not case.success else 0),
                "acc": float(last and case.success),
                "outcome": wanted.outcome,
                "feedback": wanted.feedback,
            }


def test_scored_is_the_whole_episode():
    task = problems("points-text").task
    session = opened(problems("points-text").row("id", 0, decision=0))
    first = session.step("no").reward
    assert scored(session)["acc"] == 0
    last = session.step(task.expert(task.start(task.problem("id", 0)))).reward
    assert scored(session) == {"score": first + last, "acc": 1, "outcome": "correct", "feedback": "Correct."}


@pytest.mark.parametrize("extra_info", [None, {}, {"index": 3, "split": "train"}])
def test_data_of_others_is_refused(extra_info):
    with pytest.raises(DataError, match="openai/gsm8k: extra_info names no problem; write the data by"):
        compute_score("openai/gsm8k", "7", "7", extra_info)


@pytest.mark.filterwarnings("ignore")  # inside verl and what it imports, not ours
@pytest.mark.parametrize("study", ["points-text", "navigation-text"])
def test_verls_reward_manager_judges_rows_of_a_parquet(study, tmp_path):
    pytest.importorskip("verl")
    import torch
    from transformers import AutoTokenizer
    from verl.protocol import DataProto
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    source = problems(study)
    table = cases(study, by_decision=True)[::5]
    rows = [list(verl_rows(source, case.split, [case.index]))[case.decision] for case in table]
    write_rows(rows, tmp_path / "train.parquet")
    settings = config(tmp_path, study.replace("text", "0"), {"data.max_prompt_length": 4096})
    tokenizer = AutoTokenizer.from_pretrained(settings.actor_rollout_ref.model.path)
    data = RLHFDataset(settings.data.train_files, tokenizer, settings.data)

    async def judged(row, text):
        manager = load_reward_manager(settings, tokenizer)
        ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        batch = collate_fn([row]) | {
            "responses": torch.tensor([[*ids, 0, 0]]),
            "attention_mask": torch.tensor([[1, *[1] * len(ids), 0, 0]]),
        }
        return await manager.run_single(DataProto.from_single_dict(batch))

    assert len(data) == len(table) > 3
    for number, case in enumerate(table):
        told = asyncio.run(judged(data[number], case.answers[0]))
        wanted = compute_score("", case.answers[0], "", rows[number]["extra_info"])
        assert wanted["outcome"] == case.judged[0].outcome
        assert told == {"reward_score": wanted["score"], "reward_extra_info": wanted}


@pytest.mark.filterwarnings("ignore")  # inside verl and what it imports, not ours
@pytest.mark.parametrize("study", ["points-vision", "navigation-vision"])
def test_verl_reads_pictures_from_a_parquet(study, tmp_path):
    pytest.importorskip("verl")
    from verl.utils.dataset.rl_dataset import RLHFDataset

    rows = list(verl_rows(problems(study), "id", range(2)))
    write_rows(rows, tmp_path / "train.parquet")
    settings = config(tmp_path, "points-vision-0", {"data.filter_overlong_prompts": False})
    data = RLHFDataset(settings.data.train_files, None, settings.data, processor_of("points-vision-0"))
    assert len(data) == len(rows)
    for number, row in enumerate(rows):
        assert data[number]["raw_prompt"] == opened(row["extra_info"]).messages


@pytest.mark.filterwarnings("ignore")  # inside verl and what it imports, not ours
def test_verl_learns_from_the_answers_of_the_data_for_sft(tmp_path):
    pytest.importorskip("verl")
    from omegaconf import OmegaConf
    from transformers import AutoTokenizer
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    rows = list(expert_rows(problems("points-text").task, "train", range(2)))
    write_rows(rows, tmp_path / "sft.parquet")
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "points-0")
    settings = OmegaConf.create({"max_length": 1024, "pad_mode": "no_padding"})
    data = MultiTurnSFTDataset(str(tmp_path / "sft.parquet"), tokenizer, settings)
    for number, row in enumerate(rows):
        learned = data[number]["input_ids"][data[number]["loss_mask"].bool()]
        assert tokenizer.decode(learned) == row["messages"][-1]["content"] + "<|end|>"
