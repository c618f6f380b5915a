import os
import time

import pytest

from shiftgym.errors import DataError
from shiftgym.following.driver import SILENT, Standing, is_alive, read_standing, this_machine
from shiftgym.layout import RunFolder
from shiftgym.studies.run_folder import only_one


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def test_a_driver_of_this_machine_is_known_by_its_lock(run):
    standing = Standing(machine=this_machine())
    run.states.write_text("{}")
    assert not is_alive(run, standing)
    with only_one(run):
        assert is_alive(run, standing)
        assert is_alive(run, Standing())
        # Nobody has taken the lock to find out.
        assert is_alive(run, standing)
    # It is missed at once, however young its last sign of life is.
    assert not is_alive(run, standing)
    assert not is_alive(run, Standing())


def test_a_driver_elsewhere_is_known_by_its_last_sign_of_life(run):
    run.lock.touch()
    run.states.write_text("{}")
    standing = Standing(machine="another one")
    assert is_alive(run, standing)
    old = time.time() - SILENT - 1
    os.utime(run.states, (old, old))
    assert not is_alive(run, standing)


def test_a_run_that_is_still_to_begin_has_no_driver(run):
    assert read_standing(run) == Standing()
    assert not is_alive(run, Standing())


def test_a_file_of_something_else_is_told(run):
    for text in ("[1]", '{"states": 3}', '{"seconds": {"a": 1e999}}'):
        run.states.write_text(text)
        with pytest.raises(DataError, match="states.json"):
            read_standing(run)
