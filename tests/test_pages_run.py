"""Every block that a page says runs does run, at toy size: a page from top to bottom in one folder, as by a reader."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.pages import PAGES, ROOT, Block, blocks

from shiftgym.cli.main import main
from shiftgym.models.loading.shipped import WEIGHTS
from shiftgym.studies.config import load_study
from shiftgym.studies.suite import load_suite

BACKBONE = str(WEIGHTS / "points-0")
MODELS = ("OWNER/NAME", "OWNER/BASE", "Qwen/Qwen3-0.6B")
"""What pages call a model of the reader's."""
TRAINED = ("out/sft", "out/grpo/checkpoint-200")
"""Where a reader has models that another trainer trained."""
ANSWER = {"task": "points", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8", "8"], "answer": "{}"}
"""A line of the reader's `answers.jsonl`."""

SAID = {"choices": [{"message": {"content": '{"formula": "1"}'}, "finish_reason": "stop"}]}
"""What the endpoint answers to everything."""

SIZES = {
    "eval": ["--problems", "2"],
    "compare": ["--problems", "2"],
    "train": ["--steps", "1"],
    "data": ["--count", "2"],
}
"""Options that make a command small."""
RECIPES = {"ppo": ("max_new_tokens=16", "episodes_per_iteration=4", "minibatch=4"), "sft": ()}
"""Settings that make the training with a recipe small; other recipes sample answers."""


def toy(arguments: list[str]) -> list[str]:
    """The same command of ours on few problems, with little compute."""
    if arguments[:2] == ["study", "run"]:
        return [*arguments, *smoke(arguments[2])]
    small = SIZES.get(arguments[0], [])
    if small and small[0] in arguments:
        at = arguments.index(small[0])
        arguments = arguments[:at] + arguments[at + 2 :]
    if arguments[0] == "train":
        settings = ("problems=16", *RECIPES.get(arguments[2], ("max_new_tokens=16",)))
        small = [*small, *(f"--set=recipe.{setting}" for setting in settings)]
    return [*arguments, *small]


def smoke(name: str) -> list[str]:
    """Overrides that make a study tiny, as `--set` takes them; a suite has a scale for that."""
    if name == "paper":
        return ["--scale", "smoke"]
    tiny = load_suite("paper").tables.scales["smoke"].changes(load_study(name))
    return [f"--set={key}={json.dumps(value)}" for key, value in tiny.items()]


class Reader:
    """Runs the blocks of a page in a folder.

    Args:
        folder: The current folder, where `examples` is and what `TRAINED` names.
        endpoint: The URL of an endpoint that answers.
    """

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def read(self, block: Block, capsys: pytest.CaptureFixture[str]) -> None:
        """Run a block, or write it to its file."""
        if block.file:
            (self.folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.runs and block.language == "python":
            small = re.sub(r"\bsteps=\d+", "steps=1", re.sub(r"\bproblems=\d+", "problems=4", block.text))
            exec(compile(small, str(block), "exec"), self.names)  # noqa: S102  the pages are ours
            assert capsys.readouterr().out
        elif block.runs:
            for words in block.commands():
                self.command(words, capsys)

    def command(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """Run a command. What it prints goes to the file behind `>`, if there is one."""
        program, *arguments = [self.own(word) for word in words]
        arguments, target = (arguments[:-2], arguments[-1]) if ">" in arguments else (arguments, None)
        if Path(program).name == "make":
            return  # what it would do is checked in test_pages.py
        if program == "python":
            done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            out = done.stdout
        else:
            with pytest.raises(SystemExit) as ended:
                main(toy(arguments))
            said = capsys.readouterr()
            assert not ended.value.code and "error" not in said.err, said.err
            out = said.out
        assert out
        if target:
            (self.folder / target).write_text(out, encoding="utf-8")

    def own(self, word: str) -> str:
        """A word of a command with what is the reader's put in: models, the endpoint, the device, the newest run."""
        for name in MODELS:
            word = word.replace(name, BACKBONE)
        word = re.sub(r"http://127.0.0.1:\d+/v1", self.endpoint, word)
        run = re.fullmatch(r"(runs/.+-)20260101-120000(/.*)?", word)
        if run:
            newest = sorted(self.folder.glob(f"{run[1]}2*"))[-1]
            word = f"{newest.relative_to(self.folder)}{run[2] or ''}"
        return "cpu" if word == "cuda" else word


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Any) -> Iterator[Reader]:
    """A reader in a fresh folder with what pages take for granted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("builtins.input", lambda *_: "1+1")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for trained in TRAINED:
        shutil.copytree(BACKBONE, tmp_path / trained)
    (tmp_path / "answers.jsonl").write_text(json.dumps(ANSWER) + "\n", encoding="utf-8")
    known = set(sys.modules)
    yield Reader(tmp_path, serve(lambda *_: (200, SAID)).url)
    # The next page may write files of the same names.
    for name in set(sys.modules) - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("page", [page for page in PAGES if any(block.runs for block in blocks(page))])
def test_a_page_runs(page: str, reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    if "reasoning_gym" in page and find_spec("reasoning_gym") is None:
        pytest.skip("reasoning-gym is not installed")
    for block in blocks(page):
        try:
            reader.read(block, capsys)
        except Exception as error:
            raise AssertionError(f"{block}: {error}") from error


def test_words_of_a_reader_are_put_in(tmp_path: Path) -> None:
    for run in ("points-text-20270101-000000", "points-text-20270102-000000", "points-text-quick-20280101-000000"):
        (tmp_path / "runs" / run).mkdir(parents=True)
    reader = Reader(tmp_path, "http://127.0.0.1:9/v1")
    assert reader.own("runs/points-text-20260101-120000/report.html") == "runs/points-text-20270102-000000/report.html"
    assert reader.own("http://127.0.0.1:8000/v1#base") == "http://127.0.0.1:9/v1#base"
    assert reader.own("model=OWNER/NAME") == f"model={BACKBONE}"
    assert reader.own("mine") == "mine"


def test_commands_become_small() -> None:
    assert toy(["eval", "x", "--problems", "200", "--split", "id"]) == ["eval", "x", "--split", "id", "--problems", "2"]
    assert toy(["train", "m", "ppo", "--out", "o"])[-4:] == [
        "--set=recipe.problems=16",
        *(f"--set=recipe.{each}" for each in RECIPES["ppo"]),
    ]
    assert toy(["study", "run", "paper"]) == ["study", "run", "paper", "--scale", "smoke"]
    assert toy(["model", "points-0"]) == ["model", "points-0"]
