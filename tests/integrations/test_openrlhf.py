"""OpenRLHF's agent, played by OpenRLHF's own executor with an engine that gives scripted tokens.

The rest of OpenRLHF wants vLLM and DeepSpeed, so its packages are entered without their `__init__` files.
"""

import asyncio
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tests.integrations.parity import STUDIES, cases, problems
from transformers import AutoProcessor, AutoTokenizer

pytest.importorskip("openrlhf")

import openrlhf


def entered(name):
    """A package of OpenRLHF with its files and without what its `__init__` would import."""
    package = ModuleType(name)
    package.__path__ = [str(Path(openrlhf.__path__[0], *name.split(".")[1:]))]
    return package


for each in ("utils", "datasets"):
    sys.modules[f"openrlhf.{each}"] = entered(f"openrlhf.{each}")

from openrlhf.datasets.prompts_dataset import preprocess_data  # noqa: E402

from shiftgym.integrations.openrlhf import following  # noqa: E402
from shiftgym.integrations.rows import openrlhf_rows  # noqa: E402
from shiftgym.messages import user  # noqa: E402
from shiftgym.models.loading.shipped import WEIGHTS  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "integrations" / "openrlhf"
BACKBONES = {
    "points-text": "points-0",
    "points-vision": "points-vision-0",
    "navigation-text": "navigation-0",
    "navigation-vision": "navigation-vision-0",
}


def reader_of(study):
    """A tokenizer, or a processor."""
    folder = str(WEIGHTS / BACKBONES[study])
    if study.endswith("vision"):
        return AutoProcessor.from_pretrained(folder, backend="pil")
    return AutoTokenizer.from_pretrained(folder)


def agent_file():
    """The example as OpenRLHF loads an agent file."""
    spec = importlib.util.spec_from_file_location("agent_module", str(EXAMPLE / "agent.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Engine:
    """Gives scripted answers, token by token as no tokenizer would cut them."""

    def __init__(self, tokenizer, answers):
        self.tokenizer, self.answers, self.given, self.pictures = tokenizer, iter(answers), [], []

    async def generate(self, token_ids, sampling_params, multi_modal_data=None):
        text = next(self.answers)
        cut = [token for sign in text for token in self.tokenizer(sign, add_special_tokens=False)["input_ids"]]
        ids = [*cut, self.tokenizer.eos_token_id]
        assert self.tokenizer.decode(ids, skip_special_tokens=True) == text
        self.given.append(ids)
        self.pictures.append(multi_modal_data)
        logprobs = [{token: SimpleNamespace(logprob=-0.5)} for token in ids]
        # vLLM leaves the token that ended an answer out of its text.
        output = SimpleNamespace(token_ids=ids, text=text, finish_reason="stop", logprobs=logprobs)
        return SimpleNamespace(outputs=[output])


def played(reader, row, answers):
    """What the trainer is told of an episode on a row of the data set, the prompt it asked for, and the engine."""
    row = json.loads(json.dumps({name: value for name, value in row.items() if name != "images"})) | {
        "images": [picture["bytes"] for picture in row.get("images", ())]
    }
    prompt, label = preprocess_data(row, None, "prompt", "label", reader.apply_chat_template)
    engine = Engine(getattr(reader, "tokenizer", reader), answers)
    asked = SimpleNamespace(max_tokens=None, logprobs=1)
    executor = agent_file().AgentExecutor()
    told = asyncio.run(executor.execute(prompt, label, asked, 100_000, reader, engine, row["images"] or None))
    return told, prompt, engine


@pytest.mark.parametrize("study", STUDIES)
def test_the_shared_table(study):
    source, reader = problems(study), reader_of(study)
    tokenizer = getattr(reader, "tokenizer", reader)
    # Pictures take time.
    for case in cases(study, by_decision=True)[:: 1 if study.endswith("text") else 7]:
        row = list(openrlhf_rows(source, case.split, [case.index]))[case.decision]
        told, prompt, engine = played(reader, row, case.answers)
        assert told["reward"] == pytest.approx(sum(each.reward for each in case.judged))
        assert told["scores"] == case.success
        assert told["extra_logs"] == {"solved": case.success, "attempts": len(case.answers)}

        feedback = [f"<|user|>{each.feedback}<|end|><|assistant|>" for each in case.judged]
        feedback[-1] = ""
        tokens, spans = told["observation_tokens"], told["action_ranges"]
        assert [tokens[start:end] for start, end in spans] == engine.given, "no answer is tokenised again"
        ends = [*(start for start, _ in spans[1:]), len(tokens)]
        behind = [tokenizer.decode(tokens[end:after]) for (_, end), after in zip(spans, ends, strict=True)]
        assert behind == feedback
        assert len(told["rollout_log_probs"]) == len(tokens)
        assert sum(value != 0 for value in told["rollout_log_probs"]) == sum(map(len, engine.given))
        if study.endswith("text"):
            assert tokenizer.decode(tokens[: spans[0][0]]) == prompt
        else:
            shown = len(row["images"])
            assert [len(each["image"]) for each in engine.pictures] == [shown] * len(case.answers)
            assert tokens.count(reader.image_token_id) == reader.image_seq_len * shown
            assert told["mm_train_inputs"]["pixel_values"].shape[:2] == (1, shown)


LINES = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
ASKED = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
BETWEEN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if not loop.last %}<|end|>{% endif %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        (LINES + ASKED, "\n<|user|>\nNo.<|end|>\n<|assistant|>"),
        (LINES.replace("<|end|>", " <|end|>") + ASKED, "\n<|user|>\nNo. <|end|>\n<|assistant|>"),
        (LINES.replace("<|end|>", "") + ASKED, "<|user|>\nNo.\n<|assistant|>"),
        (BETWEEN + ASKED, "<|end|><|user|>No.<|assistant|>"),
    ],
)
def test_what_the_template_writes_behind_an_answer(template, wanted):
    tokenizer = reader_of("points-text")
    tokenizer.chat_template = template
    assert following(tokenizer, [user("No.")]) == wanted


def test_openrlhf_knows_every_option_of_the_example():
    command = Path(openrlhf.__path__[0], "cli", "train_ppo_ray.py").read_text()
    known = set(re.findall(r'"(--[\w.]+)"', command)) | {"--actor.adam.lr"}
    used = re.findall(r"^    (--[\w.]+)", (EXAMPLE / "train.sh").read_text(), re.MULTILINE)
    assert len(used) > 20
    assert set(used) <= known
