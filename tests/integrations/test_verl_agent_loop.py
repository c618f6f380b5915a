"""verl's own worker plays the agent loop, with a server that gives scripted tokens, on a parquet that verl read."""

import asyncio
import collections
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from tests.integrations.parity import cases, problems
from tests.integrations.verl_worker import WEIGHTS, Server, config, processor_of
from transformers import AutoTokenizer

from shiftgym.integrations.problems import opened
from shiftgym.integrations.rows import verl_rows
from shiftgym.tasks.export import write_rows

pytest.importorskip("verl")
pytestmark = pytest.mark.filterwarnings("ignore")  # inside verl and what it imports, not ours

LENGTHS = {"data.max_prompt_length": 4096, "data.max_response_length": 16384}
BACKBONES = {
    "points-text": "points-0",
    "points-vision": "points-vision-0",
    "navigation-text": "navigation-0",
    "navigation-vision": "navigation-vision-0",
}
BEHIND = "<|user|>{}<|end|><|assistant|>"
"""What the template of the shipped backbones writes around feedback."""


def worked(folder, study, rows, answers, settings=LENGTHS):
    """The batch that verl's worker makes of the rows, its tokenizer, and the conversations by their prompts.

    Args:
        answers: of each row.
    """
    from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
    from verl.protocol import DataProto
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    write_rows(rows, folder / "train.parquet")
    told = {"actor_rollout_ref.rollout.calculate_log_probs": True}
    settings = config(folder, BACKBONES[study], {**settings, **told})
    server = Server({})
    worker = AgentLoopWorker(settings, server)
    tokenizer = server.tokenizer = worker.tokenizer
    data = RLHFDataset(settings.data.train_files, tokenizer, settings.data)
    assert len(data) == len(rows)
    prompts = [tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) for row in rows]
    server.answers = dict(zip(prompts, answers, strict=True))
    batch = DataProto.from_single_dict(collate_fn([data[number] for number in range(len(data))]))
    done = asyncio.run(worker.generate_sequences(batch))
    by_prompt = {tokenizer.decode(request.prompt_ids): request for request in server.requests.values()}
    return done, tokenizer, [by_prompt[prompt] for prompt in prompts]


@pytest.mark.parametrize("study", ["points-text", "navigation-text"])
def test_the_shared_table(study, tmp_path):
    from verl.trainer.ppo.metric_utils import process_validation_metrics

    source = problems(study)
    table = cases(study, by_decision=True)
    rows = [list(verl_rows(source, case.split, [case.index]))[case.decision] for case in table]
    done, tokenizer, requests = worked(tmp_path, study, rows, [case.answers for case in table])

    for at, (case, request) in enumerate(zip(table, requests, strict=True)):
        told = {name: values[at] for name, values in done.non_tensor_batch.items()}
        assert told["turn_scores"] == [each.reward for each in case.judged]
        assert (told["acc"], told["outcome"], told["feedback"]) == (
            float(case.success),
            case.judged[-1].outcome,
            case.judged[-1].feedback,
        )
        assert told["score"] == pytest.approx(sum(each.reward for each in case.judged))
        assert told["__num_turns__"] == 2 * len(case.answers)
        assert told["min_global_steps"] == 7

        # Feedback stands between the tokens that were generated, has mask 0, and is all that was tokenised.
        parts = [(ids, 1) for ids in request.given]
        for number, each in enumerate(case.judged[:-1]):
            behind = tokenizer(BEHIND.format(each.feedback), add_special_tokens=False)["input_ids"]
            parts.insert(2 * number + 1, (behind, 0))
        ids = [token for part, _ in parts for token in part]
        mask = [learned for part, learned in parts for _ in part]
        length = int(done.batch["attention_mask"][at, 4096:].sum())
        assert done.batch["responses"][at, :length].tolist() == ids
        assert done.batch["response_mask"][at].tolist() == mask + [0] * (16384 - length)
        assert done.batch["rollout_log_probs"][at].tolist() == [-0.5 * each for each in mask] + [0] * (16384 - length)
        scores = done.batch["rm_scores"][at]
        assert scores[length - 1] == scores.sum() == pytest.approx(told["score"])

        prompt = done.batch["prompts"][at][done.batch["attention_mask"][at, :4096].bool()].tolist()
        assert prompt == request.prompt_ids
        before = [[*prompt, *ids[: sum(len(part) for part, _ in parts[:number])]] for number in range(0, len(parts), 2)]
        assert request.read == before
        assert request.room == [16384 - len(read) + len(prompt) for read in before]

    names = done.meta_info["reward_extra_keys"]
    logged = process_validation_metrics(
        list(done.non_tensor_batch["data_source"]),
        [str(at) for at in range(len(table))],
        {name: list(done.non_tensor_batch[name]) for name in names},
    )
    for split in ("id", "rule_ood"):
        of_split = logged[f"shiftgym/{source.task.name}/{split}"]
        assert of_split["acc"]["mean@1"] == np.mean([case.success for case in table if case.split == split])


@pytest.mark.parametrize("room_behind_feedback", [0, 1])
def test_a_conversation_that_is_full_has_ended(room_behind_feedback, tmp_path):
    rows = list(verl_rows(problems("points-text"), "id", [0]))
    session = opened(rows[0]["extra_info"])
    feedback = BEHIND.format(session.step("no").messages[-1]["content"])
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "points-0")
    answer, behind = (len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in ("no<|end|>", feedback))
    lengths = {**LENGTHS, "data.max_response_length": answer + behind + room_behind_feedback}
    done, _, (request,) = worked(tmp_path, "points-text", rows, [["no", ""]], lengths)

    # The answer without text is one token, the end.
    for _ in range(room_behind_feedback):
        session.step("")
    session.step("", "too_long")
    assert done.batch["rm_scores"].sum() == pytest.approx(session.reward)
    assert len(request.given) == 1 + room_behind_feedback
    assert request.room == [answer + behind + room_behind_feedback, 1][: len(request.given)]
    assert done.batch["response_mask"].sum() == answer + room_behind_feedback
    assert done.non_tensor_batch["__num_turns__"] == 2 * len(request.given)


@pytest.mark.parametrize("study", ["points-vision", "navigation-vision", "points-text"])
def test_a_vision_language_model_sees_what_there_is_to_see(study, monkeypatch):
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from shiftgym.integrations.verl_agent_loop import ShiftgymAgentLoop

    def pictures_in(messages, **_):
        parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
        return [part["image"] for part in parts if part["type"] == "image"] or None, None

    # What verl fetches pictures with. For Qwen's models it resizes them as well.
    monkeypatch.setitem(sys.modules, "qwen_vl_utils", SimpleNamespace(process_vision_info=pictures_in))
    source, processor = problems(study), processor_of(BACKBONES[study.replace("text", "vision")])
    tokenizer = processor.tokenizer
    rollout = {"prompt_length": 8192, "response_length": 16384, "full_determinism": False}
    trainer = OmegaConf.create({"actor_rollout_ref": {"rollout": rollout}})

    async def played(case):
        row = source.row(case.split, case.index, decision=case.decision)
        server = Server({})
        server.tokenizer = tokenizer
        loop = ShiftgymAgentLoop(
            DictConfigWrap(trainer), server, tokenizer, processor, RLHFDataset, DictConfigWrap(OmegaConf.create({}))
        )
        images, _ = pictures_in(opened(row).messages)
        server.answers = collections.defaultdict(lambda: case.answers)
        return await loop.run({}, extra_info=row), next(iter(server.requests.values())), images

    for case in cases(study, by_decision=True)[::9]:
        told, request, images = asyncio.run(played(case))
        assert told.reward_score == pytest.approx(sum(each.reward for each in case.judged))
        assert told.multi_modal_data.get("images") == images
        assert request.images == [images] * len(case.answers)
        assert told.prompt_ids.count(processor.image_token_id) == processor.image_seq_len * len(images or [])
        assert told.response_logprobs is None
        # What verl's newer trainer takes of it.
        fields = told.as_dict()
        assert fields["rm_scores"][-1] == fields["rm_scores"].sum() == pytest.approx(told.reward_score)
        assert fields["response_mask"].tolist() == told.response_mask
        behind = [token for token, learned in zip(told.response_ids, told.response_mask, strict=True) if not learned]
        assert tokenizer.decode(behind) == "".join(BEHIND.format(each.feedback) for each in case.judged[:-1])
        learned = [token for token, learned in zip(told.response_ids, told.response_mask, strict=True) if learned]
        assert learned == [token for ids in request.given for token in ids]
