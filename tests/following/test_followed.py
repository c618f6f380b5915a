import pytest
from tests.following.made import Made

from shiftgym.following.answers import Answers
from shiftgym.following.declaration import read_declaration
from shiftgym.following.driver import Standing
from shiftgym.following.followed import Followed
from shiftgym.layout import BranchFolder

MADE = Made(branches=1, seeds=1)
TITLE = "branch-0-seed0"


@pytest.fixture
def run(tmp_path):
    return MADE.prepare(tmp_path / "run")


def followed(run, name="branch-0"):
    declared = read_declaration(run.path)
    return Followed(declared, declared.named[name], 0)


def state(run, said=None, alive=False):
    branch = followed(run)
    branch.stand(Standing({TITLE: said} if said else {}), alive)
    return branch.state


def begin(run, log="Traceback\nshiftgym.errors.ConfigError: too large\n"):
    folder = BranchFolder(run.branch(TITLE).path / "try-1")
    MADE.write_branch(folder, "branch-0", 0, 1)
    folder.log.write_text(log)
    return folder


def test_a_branch_that_has_not_begun_waits(run):
    assert state(run) == state(run, alive=True) == state(run, "waiting", alive=True) == "waiting"


def test_a_branch_runs_as_long_as_its_driver_is_there(run):
    begin(run)
    assert state(run, alive=True) == state(run, "running", alive=True) == "running"
    assert state(run) == state(run, "running") == "interrupted"


@pytest.mark.parametrize("said", ["failed", "skipped"])
def test_what_the_driver_said_last_counts_when_it_is_gone(run, said):
    begin(run)
    assert state(run, said) == said


def test_an_old_run_shows_a_failure_by_where_its_log_lies(run):
    begin(run).log.replace(run.branch(TITLE).log)
    assert state(run) == "failed"


def test_how_it_ended_is_what_it_has_written_itself(run):
    MADE.write_branch(run.branch(TITLE), "branch-0", 0)
    assert state(run, "running", alive=True) == "done"
    run.branch(TITLE).done.write_text('{"state": "stopped", "message": "the loss is not finite"}')
    branch = followed(run)
    branch.stand(Standing(), alive=False)
    branch.open()
    value = branch.value(Standing(), None)
    assert (value["state"], value["message"]) == ("stopped", "the loss is not finite")


def test_a_failure_has_its_error_and_its_log(run):
    begin(run)
    branch = followed(run)
    branch.stand(Standing({TITLE: "failed"}, seconds={TITLE: 12.34}, tries={TITLE: 3}), alive=True)
    branch.open()
    value = branch.value(Standing(tries={TITLE: 3}, seconds={TITLE: 12.34}), None)
    assert branch.log == "Traceback\nshiftgym.errors.ConfigError: too large\n"
    assert (value["message"], value["log"], value["tries"], value["seconds"]) == ("too large", True, 3, 12.3)


@pytest.mark.parametrize(("name", "steps"), [("branch-0", 4), ("init", 2)])
def test_where_it_stands_is_known_before_all_is_read(run, name, steps):
    MADE.write_branch(run.branch(f"{name}-seed0"), name, 0, 1)
    branch, answers = followed(run, name), Answers(read_declaration(run.path))
    branch.stand(Standing(), alive=True)
    branch.open()
    before = branch.value(Standing(), None)
    while branch.more:
        branch.read(answers)
    after = branch.value(Standing(), None)
    # The seconds of its steps are known once these are read.
    assert (before.pop("seconds"), after.pop("seconds")) == (0.0, 2.0 * steps)
    assert before.pop("last") == pytest.approx(last := after.pop("last"))
    assert before == after and before["step"] == steps
    assert after["fraction"] == pytest.approx(1.0 if name == "init" else 1 / 3)
    assert last.keys() == {"id", "rule_ood"}


def test_a_broken_end_is_told_and_the_branch_goes_on(run):
    begin(run)
    run.branch(TITLE).done.write_text("{")
    branch = followed(run)
    branch.stand(Standing(), alive=True)
    branch.open()
    assert branch.state == "running"
    assert "JSON object was expected" in branch.value(Standing(), None)["message"]
