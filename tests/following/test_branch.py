import json

import pytest
from tests.following.made import Made

from shiftgym.errors import DataError
from shiftgym.files import append_lines, link_file, write_lines
from shiftgym.following.branch import BranchReader
from shiftgym.layout import BranchFolder

MADE = Made(seeds=1)


@pytest.fixture
def folder(tmp_path):
    return BranchFolder(tmp_path / "branch-0-seed0")


def write(folder, checkpoints):
    MADE.write_branch(folder, "branch-0", 0, checkpoints)


def test_a_step_comes_with_its_seconds_once_both_are_written(folder):
    reader = BranchReader(folder)
    assert reader.new_steps().records == []
    write(folder, 1)
    found = reader.new_steps().records
    assert [step["step"] for step in found] == [1, 2, 3, 4]
    assert found[0] == MADE.metrics("branch-0", 0, 1) | {"collect": 1.5, "learn": 0.5}
    append_lines(folder.metrics, [{"step": 5, "flops": 1, "flops_paper": 1.0}])
    assert reader.new_steps().records == []
    append_lines(folder.timings, [{"step": 5, "collect": 1.0, "learn": 1.0}])
    (last,) = reader.new_steps().records
    assert last == {"step": 5, "flops": 1, "flops_paper": 1.0, "collect": 1.0, "learn": 1.0}


def test_a_branch_that_went_back_to_a_checkpoint_is_told_anew(folder):
    reader = BranchReader(folder)
    write(folder, 2)
    reader.new_steps()
    for log in (folder.metrics, folder.timings):
        write_lines(log, list(map(json.loads, log.read_text().splitlines()[:4])))
    found = reader.new_steps()
    assert found.anew and [step["step"] for step in found.records] == [1, 2, 3, 4]


@pytest.mark.parametrize("first", ["metrics", "timings"])
def test_a_log_that_is_cut_back_before_the_other_or_alone_loses_no_step(folder, first):
    reader = BranchReader(folder)
    write(folder, 1)
    append_lines(folder.metrics, [{"step": 5, "flops": 1, "flops_paper": 1.0}])
    if first == "timings":
        append_lines(folder.timings, [{"step": 5, "collect": 1.0, "learn": 1.0}])
    reader.new_steps()
    log = getattr(folder, first)
    write_lines(log, list(map(json.loads, log.read_text().splitlines()[:4])))
    found = reader.new_steps()
    assert found.anew and [step["step"] for step in found.records] == [1, 2, 3, 4]


def test_the_newest_files_lie_in_the_current_try_and_then_in_the_branch(folder):
    reader = BranchReader(folder)
    current = BranchFolder(folder.path / "try-2")
    write(BranchFolder(folder.path / "try-1"), 1)
    write(current, 1)
    reader.find_try()
    assert reader.tries == 2 and len(reader.new_steps().records) == 4
    write(current, 2)
    assert [step["step"] for step in reader.new_steps().records] == [5, 6, 7, 8]
    # Published, with its end.
    for file in ("metrics", "timings", "results"):
        link_file(getattr(current, file), getattr(folder, file))
    folder.done.write_text('{"state": "done", "message": ""}')
    reader.find_try()
    found = reader.new_steps()
    assert (found.records, found.anew, reader.tries) == ([], False, 0)
    assert reader.newest(lambda of: of.results) == folder.results


def test_a_try_that_is_a_link_is_none(folder, tmp_path):
    write(BranchFolder(tmp_path / "elsewhere"), 1)
    folder.path.mkdir()
    (folder.path / "try-1").symlink_to(tmp_path / "elsewhere")
    reader = BranchReader(folder)
    reader.find_try()
    assert reader.tries == 0 and reader.new_steps().records == []


def test_rows_come_without_what_happened_at_each_decision(folder):
    reader = BranchReader(folder)
    write(folder, 1)
    (first, *others) = reader.new_rows().records
    whole = json.loads(folder.results.read_text().splitlines()[0])
    assert first == {name: value for name, value in whole.items() if name != "decisions"}
    assert len(others) == 2 * 2 * MADE.problems - 1
    write(folder, 2)
    assert {row["step"] for row in reader.new_rows().records} == {8}


def test_the_ends_of_files_tell_where_it_stands(folder):
    reader = BranchReader(folder)
    assert (reader.last_step(), reader.last_rows(16)) == ({}, [])
    write(folder, 2)
    assert reader.last_step() == MADE.metrics("branch-0", 0, 8)
    rows = reader.last_rows(4 * MADE.problems + 3)
    assert len(rows) == 4 * MADE.problems and {row["step"] for row in rows} == {8}


def test_a_broken_line_is_told_and_passed_over(folder):
    reader = BranchReader(folder)
    write(folder, 1)
    with folder.results.open("a") as file:
        file.write("no <b>JSON</b>\n")
    assert len(reader.new_rows().records) == 4 * MADE.problems
    assert reader.problem == "branch-0-seed0/results.jsonl: there is a line that is no JSON object: no <b>JSON</b>"


@pytest.mark.parametrize(
    "row", ["{}", '{"step": 1, "flops": 1e999, "flops_paper": 0}', '{"problem": "x"}', '{"step": null}']
)
def test_a_line_without_what_every_line_has_is_told_too(folder, row):
    reader = BranchReader(folder)
    write(folder, 1)
    for file in (folder.metrics, folder.results):
        with file.open("a") as lines:
            lines.write(row + "\n")
    assert len(reader.new_steps().records) == 4
    assert "metrics.jsonl: there is a line without step, flops" in reader.problem
    assert len(reader.new_rows().records) == 4 * MADE.problems
    assert "results.jsonl: there is a line without branch, seed, split, decoding" in reader.problem
    assert reader.problem.endswith(f": {row}")


def test_how_it_ended_is_read_or_told_to_be_broken(folder):
    reader = BranchReader(folder)
    assert reader.done() is None and not reader.has_begun()
    MADE.write_branch(folder, "branch-0", 0)
    assert reader.done() == {"state": "done", "message": ""} and reader.has_begun()
    folder.done.write_text("{")
    with pytest.raises(DataError, match="done.json"):
        reader.done()
