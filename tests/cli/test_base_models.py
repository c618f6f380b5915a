"""A base model, which has no chat template, is trained and measured with one that the user gives."""

import shutil
import tomllib
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import run
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from shiftgym.messages import user
from shiftgym.models.loading.load import load_policy
from shiftgym.studies.config import load_study

TEMPLATE = (Path(__file__).parents[2] / "examples" / "chat_template.jinja").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def base(tiny_points: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a tiny GPT-2 as pretraining leaves it."""
    folder = tmp_path_factory.mktemp("base") / "model"
    tokenizer = AutoTokenizer.from_pretrained(tiny_points)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=512, n_embd=8, n_layer=1, n_head=2, **ends)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "plain words.jinja").write_text(TEMPLATE)
    return tmp_path / "plain words.jinja"


SHORT = ["--steps=1", "--set=recipe.batch=2", "--set=recipe.problems=2"]


def test_without_a_template_the_way_out_is_named(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["train", str(base), "sft", f"--out={tmp_path / 'out'}"], ["eval", str(base)]):
        assert run(*command) == 2
        assert capsys.readouterr().err == (
            f"error: the tokenizer of '{base}' has no chat template; give one by --chat-template FILE\n"
        )
    assert not (tmp_path / "out").exists()


def test_it_is_trained_and_its_checkpoint_has_the_template(
    base: Path, template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", str(base), "sft", f"--out={tmp_path / 'out'}", *SHORT, f"--chat-template={template}"]
    assert run(*train) == 0
    (trained,) = (tmp_path / "out" / "checkpoints").iterdir()
    _, chat_format = load_policy(str(trained))
    assert chat_format.chat_template == TEMPLATE
    assert chat_format.end_id == chat_format.tokenizer.eos_token_id
    question = [user("Make 24.")]
    text = chat_format.tokenizer.decode(chat_format.prompt(question) + chat_format.answer("6*4"))
    assert text == f"user: Make 24.\nassistant: 6*4{chat_format.tokenizer.eos_token}"
    assert run(*train) == 0, "the same command goes on"
    template.write_text(TEMPLATE + " ")
    assert run(*train) == 2, "another template makes another training"
    assert "holds another training" in capsys.readouterr().err
    asked = ["--problems=2", "--split=id", "--set=evaluation.max_new_tokens=8", f"--out={tmp_path / 'rows'}"]
    assert run("eval", str(base), f"--chat-template={template}", *asked) == 0
    assert run("eval", str(base), f"--set=chat_template={TEMPLATE}", *asked) == 2
    assert "its answers were given with chat_template = " in capsys.readouterr().err
    assert run("compare", str(base), str(trained), f"--chat-template={template}", "--problems=2", "--dry-run") == 0


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_run_keeps_the_text_of_the_template(base: Path, template: Path, tmp_path: Path) -> None:
    from tests.studies.conftest import TINY

    (tmp_path / "tiny.toml").write_text(TINY.replace("MODEL", str(base)))
    overrides = [f"chat_template={template}", "budget.flops=1e5", "evaluation.problems=1", "budget.checkpoints=[1.0]"]
    options = [f"--set={each}" for each in overrides]
    assert run("study", "run", str(tmp_path / "tiny.toml"), *options, f"--runs={tmp_path / 'runs'}", "--plain") == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert tomllib.loads((folder / "study.toml").read_text())["chat_template"] == TEMPLATE
    template.unlink()
    shutil.rmtree(folder / "branches" / "sft-seed0")
    assert load_study(folder / "study.toml").chat_template == TEMPLATE
    assert run("study", "resume", str(folder), "--plain") == 0


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftgym.reports.page.write_report", lambda of: of.first.folder / "report.html")


def test_a_base_model_whose_answers_cannot_end(
    base: Path, template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template.write_text(TEMPLATE.replace("{{ eos_token }}", "."))
    assert run("eval", str(base), f"--chat-template={template}") == 2
    said = capsys.readouterr().err
    end = AutoTokenizer.from_pretrained(base).eos_token
    assert f"with no special token, so generation could not stop; let it write {end} behind every answer" in said
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.eos_token = None
    shutil.copytree(base, tmp_path / "endless")
    tokenizer.save_pretrained(tmp_path / "endless")
    assert run("eval", str(tmp_path / "endless"), f"--chat-template={template}") == 2
    said = capsys.readouterr().err
    assert "set an eos_token of its tokenizer, which has none, and let it write that behind every answer" in said
    assert said.count("\n") == 1
