"""What a machine is, and whether it can carry out the branches of a study."""

import platform
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shiftgym.engines.local import LocalEngine
from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder
from shiftgym.models.loading.source import find_source
from shiftgym.studies import machines
from shiftgym.studies.config import load_study
from shiftgym.studies.machines import ALIKE, check_machine, describe, get_ready, missing_model, versions

HERE = {"Python": platform.python_version(), **{name: versions()[name] for name in ALIKE}}
KNOWN = {"points": "task", "sft": "recipe"}


class Elsewhere(LocalEngine):
    """A machine that does not find a folder of this one."""

    hidden = ""

    def ask(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        if question is missing_model:
            return [("10.0.0.5", "no such model" if args[0] == self.hidden else "")]
        return [("10.0.0.5", answer) for _, answer in super().ask(question, *args)]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.token.write_text("a token")
    return run


def test_a_machine_is_described() -> None:
    found = describe()
    assert found["host"] == socket.gethostname()
    assert found["packages"]["torch"]
    assert found["cores"] >= 1
    assert found["memory_mib"] > 0
    assert "gpus" not in found


def test_a_machine_shows_that_it_sees_the_run_folder(run: RunFolder) -> None:
    told = check_machine(run.path, "a token", HERE, KNOWN, "points-0", "cpu")
    assert (run.path / told["seen"]).read_text() == "a token"
    assert told["host"] == socket.gethostname()


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"token": "another"}, "is not the run folder here; the run folder must be on a file system that all machines"),
        ({"run": Path("/no/such/folder")}, "/no/such/folder is not the run folder here"),
        ({"expected": {"torch": "1.0"}}, r"it has torch \d.* and not 1.0, as where the study was started"),
        ({"expected": {"Python": "3.1.0"}}, r"it has Python 3.\d+.\d+ and not 3.1.0"),
        ({"names": {"theirs.module:Task": "task"}}, "task 'theirs.module:Task': there is no module 'theirs'"),
        ({"model": "/no/such/model"}, "model '/no/such/model' is no backbone"),
        ({"device": "cuda"}, "no GPU is found there"),
    ],
)
def test_what_is_wrong_with_a_machine_is_one_line(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], wrong: str
) -> None:
    monkeypatch.setattr(machines, "PATIENCE", 0.0)
    asked = {"run": run.path, "token": "a token", "expected": HERE, "names": KNOWN, "model": None, "device": "cpu"}
    with pytest.raises(ConfigError, match=wrong):
        check_machine(**{**asked, **changed})


def test_how_a_package_was_built_and_the_last_number_of_python_may_differ(run: RunFolder) -> None:
    python = ".".join([*platform.python_version_tuple()[:2], "99"])
    torch = f"{versions()['torch']}".partition("+")[0]
    check_machine(run.path, "a token", {"Python": python, "torch": f"{torch}+cu130"}, KNOWN, None, "cpu")


def test_a_model_that_a_machine_does_not_find_is_brought_through_the_run_folder(
    run: RunFolder, tiny_file: Path, tiny_points: Path
) -> None:
    study = load_study(tiny_file, [f"model='{tiny_points}'"])
    where = Elsewhere(workers=1, imports=())
    same, (machine,) = get_ready(study, run, where, loads=True)
    assert (same, machine["address"]) == (study, "10.0.0.5")
    assert not run.model.exists()
    where.hidden = study.model
    ready, _ = get_ready(study, run, where, loads=True)
    assert ready == study.model_copy(update={"model": str(run.model)})
    assert find_source(ready.model).folder == run.model
    for file in tiny_points.iterdir():
        assert (run.model / file.name).read_bytes() == file.read_bytes()
    # A run that is resumed has it already.
    assert get_ready(study, run, where, loads=True)[0] == ready
    assert get_ready(study, run, where, loads=False)[0] == study
    assert not list(run.path.glob(".seen-*"))
