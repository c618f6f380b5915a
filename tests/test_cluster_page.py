"""The commands of docs/cluster.md, of the README's part about clusters and of the compose file are such as the programs
take, and the table of the page is what a command prints."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from scripts.memory_table import CONFIGS, WAYS, row

from shiftgym.cli.main import app
from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPOSE = ROOT / "deploy" / "compose.yaml"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = FENCED.findall(PAGE)
SHELL = [text for kind, text in BLOCKS if kind in ("sh", "bash")]
SHELL += [text for kind, text in FENCED.findall(README) if kind == "bash"]  # `sh` is run by test_readme.py
COMMANDS = [
    line.removeprefix("srun ")
    for block in SHELL
    for line in re.sub(r"\\\n\s*|  +#.*", "", block).splitlines()
    if "shiftgym study" in line or line.startswith(("ray ", "python scripts"))
]


def taken(command: str) -> None:
    """Check that the programs of a command know its options."""
    words = shlex.split(command)
    if "symmetric-run" in words:
        words = words[words.index("ray") :]
    if "--" in words:
        at = words.index("--")
        taken(shlex.join(words[at + 1 :]))
        words = words[:at]
    program, *arguments = words
    if program == "shiftgym":
        app.parse_args(arguments, exit_on_error=False, print_error=False)
    elif program == "ray":
        by_ray(arguments)


def by_ray(arguments: list[str]) -> None:
    scripts = pytest.importorskip("ray.scripts.scripts")
    name, *options = arguments
    if name == "symmetric-run":
        # What it does not know itself it hands to `ray start`.
        own, options = options[:4], options[4:]
        assert own[::2] == ["--address", "--min-nodes"]
        name = "start"
    scripts.cli.commands[name].make_context(name, [re.sub(r"\$\w+", "1", option) for option in options])


@pytest.mark.parametrize("command", COMMANDS)
def test_programs_take_the_commands(command: str) -> None:
    taken(command)


def test_all_kinds_of_commands_are_looked_at() -> None:
    told = " ".join(COMMANDS)
    for kind in ("ray start --head", "ray symmetric-run", "study run", "study resume", "scripts/local_cluster.py --"):
        assert kind in told


@pytest.mark.parametrize("block", SHELL)
def test_blocks_are_scripts(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
    assert not done.returncode and not done.stderr, done.stderr


def test_keys_are_those_of_a_study() -> None:
    [block] = [text for kind, text in BLOCKS if kind == "toml"]
    given = tomllib.loads(block)
    branches = {"sft-lora": "branches.sft-lora={label='SFT, LoRA', recipe='sft', lora={rank=16}, ranks=1}"}
    assert list(given.pop("branches")) == list(branches)
    study = load_study("points-text", [*(f"{key}={value}" for key, value in given.items()), *branches.values()])
    assert {branch.name: branch.ranks for branch in plan(study)}["sft-lora"] == 1
    assert {branch.ranks for branch in plan(study)} == {1, 4}


def test_a_compose_file_makes_a_cluster_with_one_folder() -> None:
    file = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    machines = file["services"]
    assert list(machines) == ["head", "node-1", "node-2"]
    assert {tuple(machine["volumes"]) for machine in machines.values()} == {("runs:/srv/shiftgym/runs",)}
    assert "runs" in file["volumes"]
    for machine in machines.values():
        taken(machine["command"])
        assert (COMPOSE.parent / machine["build"]["context"] / machine["build"]["dockerfile"]).is_file()
    for line in COMPOSE.read_text(encoding="utf-8").splitlines():
        if " exec head " in line:
            taken(line.partition(" exec head ")[2])


def test_the_table_is_what_the_command_prints(tmp_path: Path) -> None:
    _, table, _ = PAGE.split("<!-- memory -->")
    lines = table.strip().splitlines()
    assert len(lines) == 2 + len(CONFIGS) * len(WAYS)
    for name, way in (("8B", "full, bfloat16"), ("11B", "LoRA, bfloat16")):
        assert row(name, way, tmp_path, 80) in lines
