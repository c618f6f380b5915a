import pytest
from tests.following.made import Made

from shiftgym.errors import DataError
from shiftgym.following.declaration import check_code, measured, read_declaration


@pytest.mark.parametrize(
    ("measure", "limit", "name"),
    [
        ("success", 5, "success with 5 attempts, greedy"),
        ("success", 1, "success with one attempt, greedy"),
        ("per_step", 2, "accuracy per step, greedy"),
        ("reward", 2, "reward, greedy"),
    ],
)
def test_a_measure_is_named_with_its_decoding(measure, limit, name):
    assert measured(measure, "greedy", limit) == name


def test_code_that_comes_with_a_run_is_not_run_to_show_it(tmp_path, monkeypatch):
    run = Made().write(tmp_path / "run")
    (run / "own.py").write_text("raise SystemExit('it was run')")
    study = run / "study.toml"
    study.write_text(study.read_text().replace('name = "points"', 'name = "own:Own"'))
    monkeypatch.chdir(run)
    with pytest.raises(DataError, match="task 'own:Own' is code in this folder, which is not run to show it"):
        _ = read_declaration(run).task


def test_nor_is_code_that_lies_beside_a_run_in_what_is_shown(tmp_path, monkeypatch):
    run = Made().write(tmp_path / "bundle" / "run")
    (tmp_path / "bundle" / "own.py").write_text("raise SystemExit('it was run')")
    study = run / "study.toml"
    study.write_text(study.read_text().replace('name = "points"', 'name = "bundle.own:Own"'))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="bundle: task 'bundle.own:Own' is code in this folder"):
        check_code(read_declaration(run), tmp_path / "bundle")
    check_code(read_declaration(run), run)
