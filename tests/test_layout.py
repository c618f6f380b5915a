"""Every name of a run folder's file stands in layout.py and nowhere else in the code."""

import ast
from pathlib import Path

from tests.sources import SOURCES, parsed

from shiftgym.layout import BranchFolder, CheckpointFolder, RunFolder, SuiteFolder, branch_title

ANY = Path("x")
FOLDERS = (RunFolder(ANY), BranchFolder(ANY), CheckpointFolder(ANY), SuiteFolder(ANY))
NAMES = sorted({value.name for folder in FOLDERS for value in vars(folder).values() if isinstance(value, Path)} - {"x"})


def names_in(path):
    """Every string of a module that is not a docstring, part by part where it is a path."""
    nodes = parsed(path)
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    strings = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {part for node in strings if id(node) not in told for part in node.value.split("/")}


def test_no_other_module_spells_a_name_out():
    files = {name for name in NAMES if "." in name}
    assert len(files) > 10
    spelled = {name: names_in(path) & files for name, path in SOURCES.items() if name != "layout.py"}
    assert {name: found for name, found in spelled.items() if found} == {}


def test_branches_are_found_by_their_title(tmp_path):
    run = RunFolder(tmp_path)
    assert run.begun() == []
    for title in (branch_title("sft", 1), branch_title("ppo", 0)):
        run.branch(title).path.mkdir(parents=True)
    assert [branch.path.name for branch in run.begun()] == ["ppo-seed0", "sft-seed1"]


def test_checkpoints_are_found_in_their_order_and_only_when_complete(tmp_path):
    branch = BranchFolder(tmp_path)
    for step in (100, 20):
        branch.checkpoint(step).path.mkdir(parents=True)
    (branch.checkpoint(3).path.parent / ".unfinished-step-000003").mkdir()
    assert [found.path for found in branch.checkpoints()] == [branch.checkpoint(20).path, branch.checkpoint(100).path]


def test_tries_are_found_in_the_order_of_their_numbers(tmp_path):
    branch = BranchFolder(tmp_path)
    assert branch.tries() == []
    assert branch.next_try().path == tmp_path / "try-1"
    for name in ("try-10", "try-9", "try-x", ".unfinished-try-11"):
        (tmp_path / name).mkdir()
    assert [found.path.name for found in branch.tries()] == ["try-9", "try-10"]
    assert branch.next_try().path == tmp_path / "try-11"
