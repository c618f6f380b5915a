"""Every family that sees answers, scores and trains alike, whichever path it takes."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import BaseModel
from tests.models.seeing_families import SEEING_FAMILIES, Noise, Prompt, save_seeing
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from shiftgym.messages import Messages, user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.paths import reading_path
from shiftgym.models.generation.policy import model_policy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.parts import parts_of
from shiftgym.models.player import Player
from shiftgym.policies.base import Transcript
from shiftgym.tasks.base import Diagnosis
from shiftgym.tasks.registry import build_task
from shiftgym.training.trainer import train
from shiftgym.verdicts import Verdict

AGAIN = [user("Your formula is legal, but its value is 21 and not 24.")]
TEMPERATURE = 0.7


PROMPTS = [
    Prompt("Make 24.", (Noise(0),)),
    Prompt("Make 24 with what you see.", (Noise(2, 90, 21),)),
    Prompt("Which is which?", (Noise(3), Noise(1, 33, 47))),
    Prompt("No picture at all.", ()),
    Prompt("Make 24.", (Noise(4),)),
]
"""Rows of different length with one, two and no picture, of different size. The first and the last differ only in what
their picture shows."""

Seeing = tuple[PreTrainedModel, ChatFormat]


@dataclass(frozen=True)
class Sight:
    split: str
    index: int


@dataclass(frozen=True)
class Look:
    """A decision on a picture, whose reward is the length of the answer."""

    problem: Sight

    @property
    def prompt(self) -> Messages:
        return [user("What do you see?", Noise(self.problem.index))]

    def judge(self, answer: str) -> Verdict:
        return Verdict("wrong", float(len(answer)), "Try again.", correct=False)

    def next(self) -> None:
        return None


class Looking:
    """A task whose rewards even random answers earn unequally."""

    name: ClassVar[str] = "looking"
    Options: ClassVar[type[BaseModel]] = BaseModel
    Setting: ClassVar[type[BaseModel]] = BaseModel
    outcomes: ClassVar[tuple[str, ...]] = ("correct", "wrong")
    splits: ClassVar[dict[str, Any]] = {"train": None}
    limit = 2

    def problem(self, split: str, index: int) -> Sight:
        return Sight(split, index)

    def start(self, problem: Sight) -> Look:
        return Look(problem)

    def expert(self, decision: Look) -> str:
        return ["K, 7, 3 and 2", "four cards"][decision.problem.index % 2]

    def diagnose(self, decision: Look, answer: str) -> Diagnosis:
        return Diagnosis(True, "direct", None, None)


# The processor of PaliGemma makes arrays as NumPy 2 no longer likes it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=list(SEEING_FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_seeing(family, tmp_path_factory.mktemp(family))


@pytest.fixture(scope="module")
def seeing(folder: Path) -> Seeing:
    return load_policy(str(folder))


@pytest.fixture(scope="module")
def played(seeing: Seeing) -> list[Transcript]:
    return play(seeing, PROMPTS)


def play(seeing: Seeing, prompts: list[Prompt]) -> list[Transcript]:
    """Two attempts at each of some prompts; the noise is that of its place in `PROMPTS`."""
    policy = model_policy(*seeing, temperature=TEMPERATURE, max_new_tokens=5, seed=0)
    chat = policy.start(prompts, [["test", PROMPTS.index(prompt)] for prompt in prompts])  # type: ignore[arg-type]
    rows = range(len(prompts))
    for attempt in range(2):
        chat.reply(rows, [AGAIN if attempt else [] for _ in rows])
    return chat.transcripts()


def player(seeing: Seeing) -> Player:
    return Player(*seeing, Looking(), seed=0, ledger=Ledger(ModelShape.of(seeing[0])), temperature=TEMPERATURE)


def native(chat_format: ChatFormat, prompts: list[Prompt], **options: Any) -> dict[str, Any]:
    """The prompts as the model's own processor makes them."""
    processor: Any = chat_format.reader
    images: list[list[Any]] = [[picture.draw() for picture in each.shown] for each in prompts]
    parts = [[{"type": "text", "text": each.text}, *({"type": "image"} for _ in each.shown)] for each in prompts]
    texts = [
        processor.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=processor.chat_template,
            tokenize=False,
            add_generation_prompt=True,
        )
        for content in parts
    ]
    return dict(processor(text=texts, images=images, return_tensors="pt", add_special_tokens=False, **options))


def test_rows_are_what_the_models_own_processor_makes_of_them(seeing: Seeing, family: str) -> None:
    if not SEEING_FAMILIES[family].chats:
        pytest.skip("its processor takes no conversations")
    _, chat_format = seeing
    pictures = chat_format.pictures
    assert pictures is not None
    for count in (1, 2):
        prompts = [prompt for prompt in PROMPTS if len(prompt.shown) == count]
        rows = [chat_format.prompt(prompt.prompt) for prompt in prompts]
        width = max(map(len, rows)) + 1
        expected = native(chat_format, prompts, padding="max_length", max_length=width, padding_side="right")
        real = expected.pop("attention_mask").bool()
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        assert torch.equal(torch.where(ids < 0, pictures.token, ids)[real], expected.pop("input_ids")[real])
        found = pictures.batch(rows, width)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            by_token = value.shape[:2] == real.shape
            assert torch.equal(found[name][real], value[real]) if by_token else torch.equal(found[name], value), name


def test_the_path_is_chosen_by_how_the_model_reads_pictures(seeing: Seeing, family: str) -> None:
    path = reading_path(*seeing)
    assert path.why == SEEING_FAMILIES[family].plain
    assert path.fast == path.trees == (not path.why)
    assert path.padded and path.cached and path.trunk


def test_a_batch_answers_as_each_row_alone(seeing: Seeing, played: list[Transcript]) -> None:
    for prompt, together in zip(PROMPTS, played, strict=True):
        (alone,) = play(seeing, [prompt])
        assert alone.ids == together.ids
        for some, others in zip(alone.logprobs, together.logprobs, strict=True):
            assert some == pytest.approx(others, abs=1e-4)


def test_training_scores_what_generation_recorded(seeing: Seeing, played: list[Transcript]) -> None:
    scored = player(seeing).logprobs([Conversation(talk.ids, talk.spans) for talk in played])
    for talk, values in zip(played, scored, strict=True):
        assert values == pytest.approx([value for answer in talk.logprobs for value in answer], abs=1e-4)


def test_log_probabilities_are_those_of_the_plain_model(seeing: Seeing, played: list[Transcript], family: str) -> None:
    if not SEEING_FAMILIES[family].chats:
        pytest.skip("its processor takes no conversations")
    model, chat_format = seeing
    assert chat_format.pictures is not None
    for prompt, talk in zip(PROMPTS, played, strict=True):
        if not prompt.shown:
            continue
        inputs = native(chat_format, [prompt])
        size = inputs["input_ids"].shape[1]
        start, stop = talk.spans[0]
        assert start == size
        answer = torch.tensor([talk.ids[start:stop]])
        ids = torch.cat([inputs.pop("input_ids"), answer], 1)
        inputs.pop("attention_mask")
        for name in ("token_type_ids", "mm_token_type_ids"):
            if name in inputs:
                inputs[name] = torch.cat([inputs[name], torch.zeros_like(answer)], 1)
        if "cross_attention_mask" in inputs:
            seen = inputs["cross_attention_mask"]
            inputs["cross_attention_mask"] = torch.cat([seen, *[seen[:, -1:]] * answer.shape[1]], 1)
        with torch.no_grad():
            logits = model(input_ids=ids, **inputs).logits[0].float()
        for kind in ("image", "video", "audio"):
            token = getattr(model.config, f"{kind}_token_id", None)
            if token is not None and token < logits.shape[1]:
                logits[:, token] = -torch.inf
        scores = torch.log_softmax(logits / TEMPERATURE, -1)
        expected = [scores[at - 1, ids[0, at]].item() for at in range(start, stop)]
        assert talk.logprobs[0] == pytest.approx(expected, abs=1e-4)


def test_the_picture_matters_and_its_token_is_never_written(seeing: Seeing, played: list[Transcript]) -> None:
    _, chat_format = seeing
    pictures = chat_format.pictures
    assert pictures is not None
    first, other = played[0], played[-1]
    start, stop = first.spans[0]
    assert start == other.spans[0][0] and first.ids[:start] != other.ids[:start]
    answer = first.ids[start:stop]
    shown = [Conversation(talk.ids[:start] + answer, [(start, stop)]) for talk in (first, other)]
    some, others = player(seeing).logprobs(shown)
    assert max(abs(a - b) for a, b in zip(some, others, strict=True)) > 1e-3
    assert all(pictures.token not in talk.ids[start:stop] for talk in played for start, stop in talk.spans)


def test_what_a_picture_costs_is_on_the_ledger(seeing: Seeing, family: str) -> None:
    """All that is multiplied in one pass over rows that show pictures, as torch counts it."""
    model = copy.deepcopy(seeing[0])
    model.set_attn_implementation("eager")  # torch counts no fused attention on a CPU
    chat_format = ChatFormat.of(model, seeing[1].reader)
    ids = [chat_format.prompt(prompt.prompt) for prompt in (PROMPTS[0], PROMPTS[1])]
    player_ = player((model, chat_format))
    (batch,) = player_.microbatches([Conversation(row, [(len(row) - 4, len(row))]) for row in ids])
    with FlopCounterMode(display=False) as counter:
        loss = player_.score(batch).logprobs.sum()
        forward = counter.get_total_flops()
        loss.backward()
    player_.charge(batch, backward=True)
    ledger = player_.ledger
    # The states of linear attention are not counted, which are much of a layer of this width.
    states = 0.3 if family == "qwen3_5" else 0
    assert ledger.forward_flops == pytest.approx(forward, rel=0.03 + states)
    # The first matrix of an encoder needs no gradient of its input, which is much of an encoder of two layers.
    assert ledger.backward_flops == pytest.approx(counter.get_total_flops() - forward, rel=0.2 + states)


@pytest.mark.parametrize("family", ["mllama", "gemma3"], indirect=True)
def test_a_route_shows_a_picture_at_each_decision(seeing: Seeing) -> None:
    """The prompts of a route grow, and the model reads each whole."""
    task = build_task("navigation", options={"modality": "vision", "size": 96}, splits={"train": {"legs": (2, 2)}})
    walker = replace(player(seeing), task=task, max_new_tokens=3)
    (route,) = walker.play("train", [0], [["test"]])
    conversations = walker.conversations([route])
    pictures = seeing[1].pictures
    assert pictures is not None
    lengths = [talk.spans[0][0] for talk in conversations]
    assert len(lengths) > 1 and lengths == sorted(lengths)
    assert all(pictures.order(talk.ids) for talk in conversations)
    for talk, scored in zip(conversations, walker.logprobs(conversations), strict=True):
        assert scored == pytest.approx(talk.logprobs, abs=1e-4)


def test_the_parts_of_a_model_are_found(seeing: Seeing, family: str) -> None:
    model, _ = seeing
    expected = SEEING_FAMILIES[family]
    for name, part in parts_of(model).items():
        words = set(name.split("."))
        projector = bool(words & set(expected.projector.split()))
        assert part == ("projector" if projector else "vision" if expected.vision in words else "decoder"), name
    assert set(parts_of(model).values()) == {"vision", "projector", "decoder"}


def test_a_step_of_sft_and_of_ppo_and_a_checkpoint_that_loads_again(folder: Path, family: str, tmp_path: Path) -> None:
    seeing = load_policy(str(folder))
    experts = [each for index in range(2) for each in player(seeing).expert("train", index)]

    def losses() -> list[float]:
        return [-sum(values) for values in replace(player(seeing), temperature=1.0).logprobs(experts)]

    before = losses()
    sft: dict[str, Any] = {"problems": 2, "batch": 2, "optimizer": {"learning_rate": 3e-4}}
    done = train(seeing, "sft", Looking(), settings=sft, folder=tmp_path / "sft", steps=1)
    after = losses()
    assert sum(after) < sum(before)
    assert done.ledger.backward_flops > 0

    weights = {name: value.clone() for name, value in seeing[0].state_dict().items()}
    ppo = {"problems": 4, "episodes_per_iteration": 4, "minibatch": 4, "epochs": 1, "max_new_tokens": 4, "limit": 2}
    done = train(seeing, "ppo", Looking(), settings=ppo, folder=tmp_path / "ppo", steps=1)
    assert losses() != after
    changed = {name for name, value in seeing[0].state_dict().items() if not torch.equal(value, weights[name])}
    assert {part for name, part in parts_of(seeing[0]).items() if f"model.{name}" in changed} == {
        "vision", "projector", "decoder",
    }  # fmt: skip

    again = load_policy(str(done.checkpoints[-1].path))
    anew = [each for index in range(2) for each in player(again).expert("train", index)]
    assert player(again).logprobs(anew) == player(seeing).logprobs(experts)
    for name, value in again[0].state_dict().items():
        assert torch.equal(value, seeing[0].state_dict()[name]), name
