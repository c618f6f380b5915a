"""Reports are made by a process of their own, one at a time, and again only when results have changed."""

import asyncio
import sys
import time

import pytest
from tests.view.run_folders import add_results, end, make_run, rows

from shiftgym.errors import DataError
from shiftgym.view import reporting
from shiftgym.view.reporting import Reports


@pytest.fixture
def made_by(monkeypatch):
    """Have reports made by these statements, which find the folder in `sys.argv[1]`."""

    def stand_in(code):
        monkeypatch.setattr(reporting, "COMMAND", (sys.executable, "-S", "-E", "-c", code))

    return stand_in


def test_a_report_is_made_once_for_each_state_of_the_results(tmp_path, made_by):
    made_by("import os, sys; print(os.getpid(), sys.argv[1])")
    run = make_run(tmp_path / "run")

    async def made():
        reports = Reports()
        first, second = await asyncio.gather(reports.html(run.path), reports.html(run.path))
        assert first == second and str(run.path) in first.decode()
        add_results(run.branch("ppo-seed0"), rows("ppo", 0, 1, 1.0, {"id": 1.0, "rule_ood": 1.0}))
        assert (second := await reports.html(run.path)) != first
        # A sign of life tells nothing new; that a branch has failed or ended does.
        run.states.write_text('{"states": {"ppo-seed0": "running"}, "spent": 1.0}')
        assert (third := await reports.html(run.path)) != second
        run.states.write_text('{"states": {"ppo-seed0": "running"}, "spent": 9.0}')
        assert await reports.html(run.path) == third
        run.states.write_text('{"states": {"ppo-seed0": "failed"}, "spent": 9.0}')
        assert (fourth := await reports.html(run.path)) != third
        end(run.branch("ppo-seed1"))
        assert await reports.html(run.path) != fourth

    asyncio.run(made())


def test_one_that_fails_is_a_line(tmp_path, made_by):
    made_by("import sys; print('half'); sys.exit('no results yet;\\nthe first ones come soon')")
    run = make_run(tmp_path / "run")
    with pytest.raises(DataError, match="^no report can be made: the first ones come soon$"):
        asyncio.run(Reports().html(run.path))
    made_by("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(DataError, match="^no report can be made: it ended with -9$"):
        asyncio.run(Reports().html(run.path))


def test_none_is_made_of_a_run_with_a_link_that_leads_out(tmp_path, made_by):
    made_by("1 / 0")
    run = make_run(tmp_path / "run")
    (run.path / "results.jsonl").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match=r"results\.jsonl: leads out of the run folder"):
        asyncio.run(Reports().html(run.path))


def test_what_is_being_made_ends_with_the_server(tmp_path, made_by):
    made_by("import time; print('begun', flush=True); time.sleep(60)")
    run = make_run(tmp_path / "run")

    async def made():
        reports = Reports()
        making = asyncio.create_task(reports.html(run.path))
        while not reports.making:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        reports.close()
        with pytest.raises(DataError, match="it ended with -9"):
            await making
        assert time.monotonic() - began < 2 and not reports.making

    asyncio.run(made())
