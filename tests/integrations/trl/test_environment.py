"""The tasks as environments whose answers are submitted by a tool call."""

import json

import pytest
from tests.integrations.parity import STUDIES, Judged, cases, problems
from tests.integrations.trl.steps import GROUP, QUIET, SOURCE, a_trainer, logged
from transformers import AutoTokenizer

from shiftgym.episodes import TRY_AGAIN
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.trl.environment import Submission, environment_factory

pytestmark = QUIET

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|user|>' if message['role'] == 'tool' else '<|' + message['role'] + '|>' }}"
    "{{ message['content'] or '' }}"
    "{% for call in message['tool_calls'] or [] %}<call>{{ call['function'] | tojson }}</call>{% endfor %}"
    "{{ '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""The template of the tiny model with tool calls as JSON and what a tool says as the user's message."""

RESPONSE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|assistant|>",
    "fields": {
        "tool_calls": {
            "open": "<call>",
            "close_pattern": r"</call>\s*",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"<\|end\|>\s*", "content": "text"},
    },
}


@pytest.mark.parametrize("study", STUDIES)
def test_every_text_of_the_table_is_judged_alike(study):
    source, environment = problems(study), environment_factory()
    for case in cases(study, by_decision=True)[: 8 if study.endswith("vision") else None]:
        environment.reset(prompt=[], **source.row(case.split, case.index, decision=case.decision))
        said = [environment.submit(text) for text in case.answers]
        record = environment._record
        outcomes = [attempt.verdict.outcome for attempt in record.attempts]
        assert [Judged(*each) for each in zip(outcomes, record.rewards, said, strict=True)] == list(case.judged)
        assert environment.get_reward() == sum(each.reward for each in case.judged)


def test_an_object_is_read_as_its_json():
    environment = Submission()
    environment.reset(**SOURCE.row("id", 0, decision=0))
    right = SOURCE.task.expert(SOURCE.task.start(SOURCE.task.problem("id", 0)))
    for answer in (7, None, ["x"], {"formula": 3}):
        environment.reset(**SOURCE.row("id", 0, decision=0))
        assert environment.submit(answer) == "The formula is missing or not legal. Try again."
    assert environment.submit(json.loads(right)) == "Correct."
    assert environment.submit("no") == "No more answers are taken."
    assert environment.get_reward() == 5 - 3


def test_giving_up_is_an_empty_answer():
    environment = Submission()
    row = Problems("points-text", limit=3, feedback=False).row("id", 0, decision=0)
    for answers, reward in ([], -4), (["no"], -7), (["no", "no"], -10), (["no", "no", "no"], -10):
        environment.reset(**row)
        said = [environment.submit(each) for each in answers]
        assert said[:2] == [TRY_AGAIN] * len(said[:2]), "feedback is off"
        assert environment.get_reward() == environment.get_reward() == reward


def test_two_steps_with_tool_calls(tiny_points, tmp_path):
    trl = pytest.importorskip("trl")
    tokenizer = AutoTokenizer.from_pretrained(tiny_points)
    tokenizer.chat_template, tokenizer.response_template = TEMPLATE, RESPONSE
    call = "<call>" + json.dumps({"name": "submit", "arguments": {"answer": '{"formula": "1"}'}}) + "</call><|end|>"
    other = '<call>{"name": "look", "arguments": {}}</call><|end|>'
    # By turn: two wrong answers; one and then the end; no call at all; a tool that is not there, and the end.
    script = [[call, call, "Done.<|end|>"], [call, "Done.<|end|>"], ["1+1<|end|>"], [other, "Done.<|end|>"]]
    seen = []

    class Scripted(trl.GRPOTrainer):
        def _generate_single_turn(self, prompt_ids, *args, **kwargs):
            if len(prompt_ids) == GROUP:
                self.open = [list(turns) for turns in script]
            else:
                self.open = [turns for turns in self.open if turns]
            said = [turns.pop(0) for turns in self.open]
            return [self.processing_class(text, add_special_tokens=False)["input_ids"] for text in said], None

        def _generate_and_score_completions(self, inputs):
            seen.append(super()._generate_and_score_completions(inputs))
            return seen[-1]

    trainer = a_trainer(
        tiny_points,
        tmp_path,
        kind=Scripted,
        processing_class=tokenizer,
        environment_factory=environment_factory,
        max_completion_length=400,
    )
    trainer.train()
    assert list(trainer._logs["rewards"]["Submission"]) == [-5, -6, -4, -4]
    assert logged(trainer, "rewards/Submission/mean") == [-4.75, -4.75]
    for found in seen:
        for turns, ids, mask in zip(script, found["completion_ids"], found["tool_mask"], strict=True):
            text = tokenizer.decode(ids[mask.bool()], skip_special_tokens=False)
            assert text.replace("<|pad|>", "") == "".join(turns), "the model's own words count, the tool's do not"
