"""Models that see: the same code answers, scores and trains with pictures, of any size, in any family."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.seeing_families import Noise, Prompt
from torch import nn

from shiftgym import episodes
from shiftgym.errors import ConfigError
from shiftgym.messages import recorded, user
from shiftgym.models.conversations import pictures as module
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import adapter_weights, attach
from shiftgym.models.microbatches import microbatches
from shiftgym.models.parts import parts_of
from shiftgym.models.prefixes import Packed, locate, pack_prefix_trees
from shiftgym.models.score import score
from shiftgym.policies.base import Transcript
from shiftgym.tasks.navigation import verifier
from shiftgym.tasks.navigation.observation import reports_intersection
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions
from shiftgym.training.trainer import train

CPU = torch.device("cpu")
AGAIN = [user("Your formula is legal, but its value is 21 and not 24.")]


ODD = [
    Prompt("Make 24.", (Noise(0),)),
    Prompt("Make 24.", (Noise(1, 33, 47),)),
    Prompt("Make 24 with what you see.", (Noise(2, 90, 21),)),
    Prompt("Which is which?", (Noise(3), Noise(1, 33, 47))),
    Prompt("No picture at all.", ()),
    Prompt("Make 24.", (Noise(0),)),
]


def native(model: Any, processor: Any, prompt: Prompt) -> dict[str, Any]:
    """The prompt as the model's own processor makes it."""
    parts = [{"type": "text", "text": prompt.text}, *({"type": "image"} for _ in prompt.shown)]
    text = processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}],
        chat_template=processor.chat_template,
        tokenize=False,
        add_generation_prompt=True,
    )
    shown = {"images": [picture.draw() for picture in prompt.shown]} if prompt.shown else {}
    return dict(processor(text=[text], **shown, return_tensors="pt", add_special_tokens=False))


def play(
    chat_format: ChatFormat, model: Any, prompts: list[Prompt], turns: int, temperature: float
) -> list[Transcript]:
    policy = ModelPolicy(model, chat_format, temperature=temperature, max_new_tokens=6, seed=0)
    chat = policy.start(prompts, [["test", row] for row in range(len(prompts))])
    rows = list(range(len(prompts)))
    for turn in range(turns):
        chat.reply(rows, [AGAIN if turn else [] for _ in rows])
    return chat.transcripts()


def test_pictures_become_the_tokens_that_the_models_own_processor_writes(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    for prompt in ODD:
        ids = chat_format.prompt(prompt.prompt)
        expected = native(model, processor, prompt)["input_ids"][0].tolist()
        assert [token if token >= 0 else chat_format.pictures.token for token in ids] == expected
        numbers = chat_format.pictures.order(ids)
        assert len(numbers) == len(prompt.shown)
        assert sum(token < 0 for token in ids) == expected.count(chat_format.pictures.token)


def test_the_answer_to_a_picture_has_the_log_probabilities_of_the_plain_model(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    for prompt in ODD:
        (talk,) = play(chat_format, model, [prompt], turns=2, temperature=0.7)
        inputs = native(model, processor, prompt)
        ids = torch.tensor([[token if token >= 0 else chat_format.pictures.token for token in talk.ids]])
        kinds = {"mm_token_type_ids": (ids == chat_format.pictures.token).long()} if chat_format.pictures.rotary else {}
        extra = {
            name: inputs[name] for name in inputs if name in ("pixel_values", "pixel_attention_mask", "image_grid_thw")
        }
        with torch.no_grad():
            logits = model(input_ids=ids, **extra, **kinds).logits[0].float() / 0.7
        logits[:, chat_format.pictures.token] = -1e9
        if (video := getattr(model.config, "video_token_id", None)) is not None:
            logits[:, video] = -1e9
        scores = torch.log_softmax(logits, -1)
        for (start, stop), logprobs in zip(talk.spans, talk.logprobs, strict=True):
            assert logprobs == pytest.approx([scores[at - 1, ids[0, at]].item() for at in range(start, stop)], abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_batch_sees_as_each_row_alone(tiny_seeing: Any, temperature: float) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    together = play(chat_format, model, ODD, turns=3, temperature=temperature)
    if temperature == 0.0:
        for prompt, talk in zip(ODD, together, strict=True):
            (alone,) = play(chat_format, model, [prompt], turns=3, temperature=0.0)
            assert alone.ids == talk.ids
    else:
        assert together[0].ids != together[5].ids  # rows draw their own noise
    assert together[0].ids[: together[0].spans[0][0]] != together[1].ids[: together[1].spans[0][0]]


def test_training_scores_what_generation_recorded_packed_or_not(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    talks = play(chat_format, model, ODD, turns=2, temperature=0.7)
    for trees in (True, False):
        minibatch = [Conversation(talk.ids, talk.spans) for talk in talks]
        for batch in microbatches(minibatch, 4096, CPU, trees=trees, pictures=chat_format.pictures):
            scored = score(model, batch.packed, batch.predictors, batch.targets, 0.7).logprobs.tolist()
            recorded_ = [value for member in batch.members for turn in talks[member].logprobs for value in turn]
            assert scored == pytest.approx(recorded_, abs=1e-4)


def test_gradients_of_packed_rows_are_those_of_fresh_rows_and_reach_the_eyes(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    talks = play(chat_format, model, ODD, turns=1, temperature=0.7)
    found = []
    for trees in (True, False):
        model.zero_grad()
        for batch in microbatches(
            [Conversation(t.ids, t.spans) for t in talks], 256, CPU, trees=trees, pictures=chat_format.pictures
        ):
            score(model, batch.packed, batch.predictors, batch.targets).logprobs.sum().backward()
        found.append(
            {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
        )
    assert any("vis" in name and bool(gradient.abs().sum() > 0) for name, gradient in found[0].items())
    for name, gradient in found[0].items():
        assert torch.allclose(gradient, found[1][name], atol=1e-3, rtol=1e-3), name
    model.zero_grad()


def test_a_model_that_sees_never_writes_the_token_of_a_picture(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    head = model.get_output_embeddings()
    with torch.no_grad():
        before = head.weight[chat_format.pictures.token].clone()
        head.weight[chat_format.pictures.token] *= 1000
    talks = play(chat_format, model, ODD, turns=1, temperature=1.0)
    with torch.no_grad():
        head.weight[chat_format.pictures.token] = before
    assert all(chat_format.pictures.token not in talk.ids[start:stop] for talk in talks for start, stop in talk.spans)


def test_a_picture_that_was_dropped_is_drawn_again(tiny_seeing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    monkeypatch.setattr(module, "CACHE_BYTES", 1)
    ids = [chat_format.prompt(prompt.prompt) for prompt in ODD]
    assert len(chat_format.pictures._inputs) == 1
    trees = pack_prefix_trees(ids, 0)
    with torch.no_grad():
        packed = Packed.of(trees, CPU, chat_format.pictures)
        states = model.base_model(
            **packed.inputs, attention_mask=packed.attention_mask(torch.float32)
        ).last_hidden_state
        rows, _, ends = locate(trees)
        fresh = ChatFormat.of(model, processor)
        monkeypatch.undo()
        again = Packed.of(pack_prefix_trees([fresh.prompt(p.prompt) for p in ODD], 0), CPU, fresh.pictures)
        expected = model.base_model(
            **again.inputs, attention_mask=again.attention_mask(torch.float32)
        ).last_hidden_state
    assert torch.equal(states[rows, ends], expected[rows, ends])


def test_a_prompt_that_begins_with_a_picture_and_does_not_fit_can_be_scored(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    begins = "{% for message in messages %}" + processor.chat_template.split("'\\n' }}", 1)[1]
    chat_format = ChatFormat.of(model, copy.deepcopy(processor), chat_template=begins)
    assert chat_format.prompt([user("", Noise(0))])[0] != chat_format.prompt([user("")])[0]
    policy = ModelPolicy(model, chat_format, temperature=0.0, max_new_tokens=4, seed=0)
    policy.positions = 4
    chat = policy.start([Prompt("", (Noise(0),))], [["test"]])
    assert chat.reply([0], [[]])[0].stop == "too_long"
    (talk,) = chat.transcripts()
    assert len(talk.ids) == 1 and talk.ids[0] >= 0


def test_a_model_that_only_reads_refuses_pictures_in_one_line(tiny_llama: Any) -> None:
    with pytest.raises(ConfigError, match="cannot see, and this task shows pictures"):
        ChatFormat(tiny_llama[1]).prompt(ODD[0].prompt)


def test_a_message_is_recorded_by_what_its_pictures_show() -> None:
    assert recorded([user("See.", Noise(3)), user("Read.")]) == [
        {"role": "user", "content": "See.", "pictures": [{"seed": 3, "width": 40, "height": 40}]},
        {"role": "user", "content": "Read."},
    ]


SETTINGS: dict[str, dict[str, Any]] = {
    "sft": {"problems": 4, "batch": 2},
    "ppo": {"problems": 4, "episodes_per_iteration": 2, "minibatch": 2, "epochs": 1, "max_new_tokens": 4, "limit": 2},
    "grpo": {
        "problems": 4, "episodes_per_iteration": 4, "group_size": 2, "minibatch": 4, "epochs": 1, "max_new_tokens": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("recipe", list(SETTINGS))
def test_every_recipe_trains_every_family_and_a_checkpoint_comes_back(
    tiny_seeing: Any, recipe: str, tmp_path: Path
) -> None:
    model, processor = tiny_seeing
    model, task = copy.deepcopy(model), build_task("points", options={"modality": "vision", "size": 96})
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    chat_format = ChatFormat.of(model, processor)
    done = train((model, chat_format), recipe, task, settings=SETTINGS[recipe], folder=tmp_path, steps=1)
    assert done.ledger.flops > 0
    if recipe == "sft":  # random answers may all earn the same, and then nothing is learned
        changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
        assert any("vis" in name for name in changed)
    saved = type(model).from_pretrained(done.checkpoints[-1].path)
    for name, weight in model.state_dict().items():
        assert torch.equal(saved.state_dict()[name], weight), name


@pytest.mark.parametrize("frozen", [("vision",), ("projector",), ("vision", "projector")])
def test_frozen_parts_stay_as_they_are(tiny_seeing: Any, frozen: tuple[str, ...], tmp_path: Path) -> None:
    model, processor = tiny_seeing
    model, task = copy.deepcopy(model), build_task("points", options={"modality": "vision", "size": 96})
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    settings = {**SETTINGS["sft"], "frozen": frozen}
    done = train((model, ChatFormat.of(model, processor)), "sft", task, settings=settings, folder=tmp_path, steps=1)
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    projector = {name for name in before if {"multi_modal_projector", "connector", "merger"} & set(name.split("."))}
    eyes = {name for name in before if {"vision_tower", "vision_model", "visual"} & set(name.split("."))} - projector
    assert projector
    assert eyes
    assert bool(changed & eyes) == ("vision" not in frozen)
    assert bool(changed & projector) == ("projector" not in frozen)
    assert changed - eyes - projector
    # What does not learn costs less of a backward pass.
    assert done.ledger.backward_flops < 2 * done.ledger.forward_flops


def test_what_an_encoder_costs_is_counted_once_a_picture(tiny_seeing: Any) -> None:
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    ledger = Ledger(ModelShape.of(model))
    policy = ModelPolicy(model, chat_format, temperature=1.0, max_new_tokens=2, seed=0, ledger=ledger)
    policy.start(ODD[:1], [["test"]]).reply([0], [[]])
    one = ledger.forward_flops
    numbers = chat_format.pictures.order(chat_format.prompt(ODD[0].prompt))
    assert chat_format.flops(numbers) == chat_format.pictures.flops(numbers) > 0
    assert one > chat_format.flops(numbers)
    assert ledger.shape.matrix_weights < sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear))


def test_a_route_of_pictures_in_a_tree_scores_as_fresh_rows(tiny_seeing: Any) -> None:
    """A new picture at each decision, kept through its attempts, behind a history that all decisions share."""
    model, processor = tiny_seeing
    chat_format = ChatFormat.of(model, processor)
    task = build_task("navigation", options={"modality": "vision", "size": 96}, splits={"train": {"legs": (2, 2)}})
    walk = list(decisions(task, task.problem("train", 0)))
    policy = ModelPolicy(model, chat_format, temperature=1.0, max_new_tokens=4, seed=0)
    chat = policy.start(walk, [["test", row] for row in range(len(walk))])
    rows = list(range(len(walk)))
    chat.reply(rows, [[] for _ in rows])
    chat.reply(rows, [AGAIN for _ in rows])
    talks = chat.transcripts()
    sequences = [Conversation(talk.ids, talk.spans) for talk in talks]
    fresh = sum(len(talk.ids) for talk in talks)
    for trees in (True, False):
        nodes = 0
        for batch in microbatches(sequences, 8192, CPU, trees=trees, pictures=chat_format.pictures):
            nodes += int(batch.packed.lengths.sum())
            assert len(batch.packed.shown) == len(batch.members), "each decision has a picture of its own"
            scored = score(model, batch.packed, batch.predictors, batch.targets).logprobs.tolist()
            expected = [value for member in batch.members for turn in talks[member].logprobs for value in turn]
            assert scored == pytest.approx(expected, abs=1e-4)
        assert (nodes < 0.9 * fresh) == trees


def test_shipped_backbones_recognise_what_their_pictures_show() -> None:
    """Unseen hands and routes of what they were trained on, greedy first answers: cards, then intersections."""
    cards = build_task("points", options={"modality": "vision"}, splits={"id": {"look": "black", "hands": "test"}})
    model, chat_format = load_policy("points-vision-0")
    policy = ModelPolicy(model, chat_format, temperature=0.0, max_new_tokens=96, seed=0)
    hands = episodes.play(policy, cards, [cards.problem("id", index) for index in range(40)], limit=1)
    read = [cards.diagnose(each.decisions[0].decision, each.decisions[0].attempts[0].answer) for each in hands]
    assert sum(one.recognised or False for one in read) >= 0.95 * len(read)

    streets = build_task("navigation", options={"modality": "vision"}, splits={"id": {"routes": "test"}})
    model, chat_format = load_policy("navigation-vision-0")
    policy = ModelPolicy(model, chat_format, temperature=0.0, max_new_tokens=64, seed=0)
    walks = [streets.problem("id", index) for index in range(4)]
    routes = episodes.play(policy, streets, walks, limit=1, ahead=True)
    right = []
    for record in (record for route in routes for record in route.decisions):
        seen = verifier.read(record.attempts[0].answer).get("observation", "")
        situation = record.decision.situation  # type: ignore[attr-defined]
        right.append(reports_intersection(seen, situation.landmark) == situation.intersection)
    assert len(right) > 30
    assert sum(right) >= 0.9 * len(right)


def test_an_adapter_of_a_model_that_sees_comes_back(tiny_seeing: Any, tmp_path: Path) -> None:
    """With the processor, and with adapters in encoder, projector and decoder."""
    for part in tiny_seeing:
        part.save_pretrained(tmp_path / "model")
    model, processor = tiny_seeing
    base = type(model).from_pretrained(tmp_path / "model")
    chat_format = ChatFormat.of(base, processor)
    task = build_task("points", options={"modality": "vision", "size": 96})
    settings = {**SETTINGS["sft"], "lora": {"rank": 2, "alpha": 4}}
    done = train((base, chat_format), "sft", task, settings=settings, folder=tmp_path / "run", steps=1)
    path = done.checkpoints[-1].path
    assert {file.name for file in path.iterdir()} >= {"adapter_config.json", "processor_config.json"}
    assert json.loads((path / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tmp_path / "model")
    again = type(model).from_pretrained(tmp_path / "model")
    attach(again, path, "anywhere", None)
    kept = dict(again.named_parameters())
    assert all(torch.equal(weight, kept[name]) for name, weight in base.named_parameters())
    trained = parts_of(base)
    assert {trained[name.removeprefix("model.")] for name in adapter_weights(base)} == {
        "vision",
        "projector",
        "decoder",
    }
