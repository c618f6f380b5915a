"""The settings of docs/cluster.md are those of a study, its table is what a command prints, and the commands of the
compose file are such as the programs take."""

import shlex
import tomllib
from pathlib import Path

import yaml
from scripts.memory_table import CONFIGS, WAYS, row
from tests.commands import taken
from tests.pages import blocks

from shiftgym.studies.config import load_study
from shiftgym.studies.plan import plan

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
COMPOSE = ROOT / "deploy" / "compose.yaml"


def test_keys_are_those_of_a_study() -> None:
    [block] = [block for block in blocks("docs/cluster.md") if block.language == "toml"]
    given = tomllib.loads(block.text)
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
        taken(tuple(shlex.split(machine["command"])))
        assert (COMPOSE.parent / machine["build"]["context"] / machine["build"]["dockerfile"]).is_file()
    for line in COMPOSE.read_text(encoding="utf-8").splitlines():
        if " exec head " in line:
            taken(tuple(shlex.split(line.partition(" exec head ")[2])))


def test_the_table_is_what_the_command_prints(tmp_path: Path) -> None:
    _, table, _ = PAGE.split("<!-- memory -->")
    lines = table.strip().splitlines()
    assert len(lines) == 2 + len(CONFIGS) * len(WAYS)
    for name, way in (("8B", "full, bfloat16"), ("11B", "LoRA, bfloat16")):
        assert row(name, way, tmp_path, 80) in lines
