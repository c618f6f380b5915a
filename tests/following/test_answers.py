import time
from itertools import product

import pytest
from tests.following.made import Made

from shiftgym.following.answers import Answers, Key
from shiftgym.following.branch import BranchReader
from shiftgym.following.declaration import read_declaration
from shiftgym.layout import RunFolder, branch_title
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_run

FOREVER = float("inf")


def answers(folder, made, *, reverse=False):
    """All rows of a run, branch by branch."""
    found = Answers(read_declaration(folder))
    pairs = [*product(made.names, range(made.seeds))]
    for name, seed in pairs[::-1] if reverse else pairs:
        reader = BranchReader(RunFolder(folder).branch(branch_title(name, seed)))
        found.add(name, seed, reader.new_rows().records)
    return found


@pytest.mark.parametrize("made", [Made(seeds=1, limit=1), Made(seeds=3, problems=6)], ids=["one seed", "three"])
def test_values_and_intervals_are_those_of_the_report(tmp_path, made):
    folder = made.write(tmp_path / "run")
    analysis = Analysis([load_run(folder)])
    found = answers(folder, made, reverse=True)
    assert not found.find_limits(FOREVER)
    compared = 0
    for branch in analysis.first.branches:
        entries = [entry for entry in analysis.curve(branch) if entry.branch == branch.name]
        for split in analysis.splits:
            for decoding, measure, _ in analysis.asked(split):
                line = found.line(Key(branch.name, split, decoding, measure))
                rates = [analysis.rate(entry, split, decoding, measure) for entry in entries]
                assert [line["value"], line["low"], line["high"]] == [
                    [getattr(rate, name) for rate in rates] for name in ("value", "low", "high")
                ]
                assert line["fraction"] == [entry.fractions[0] for entry in entries]
                for axis in analysis.first.axes:
                    assert line[axis] == [analysis.compute(entry, axis) for entry in entries]
                assert line["seeds"] == [made.seeds] * len(entries) and line["problems"] == made.problems
                compared += len(rates)
    assert compared == (1 + 2 * 3) * 2 * len(analysis.asked("id"))


def test_a_measure_that_applies_to_nothing_has_no_line(tmp_path):
    made = Made(branches=1, seeds=1)
    folder = made.write(tmp_path / "run")
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("[compare]", '[compare]\nmeasure = "perseverated"'))
    found = answers(folder, made)
    found.find_limits(FOREVER)
    assert found.line(Key("branch-0", "id", "sampled", "perseverated")) is None
    assert found.line(Key("branch-0", "id", "sampled", "success")) is not None
    assert found.last("branch-0", 0) == {}


def test_values_come_before_intervals_and_those_of_the_newest_first(tmp_path):
    made = Made(branches=1)
    found = answers(made.write(tmp_path / "run"), made)
    key = Key("branch-0", "rule_ood", "sampled", "success")
    line = found.line(key)
    assert None not in line["value"] and line["low"] == line["high"] == [None] * 3
    found.changed.clear()
    # One moment is enough for one interval.
    while not found.changed:
        assert found.find_limits(time.monotonic() + 1e-4)
    (shown,) = found.changed
    assert found.line(shown)["low"][-1] is not None
    assert shown == key


def test_a_branch_that_goes_on_from_an_earlier_checkpoint_loses_the_later_ones(tmp_path):
    made = Made(branches=1)
    folder = made.write(tmp_path / "run")
    found = answers(folder, made)
    found.find_limits(FOREVER)
    key = Key("branch-0", "id", "greedy", "success_1")
    before = found.line(key)
    found.drop("branch-0", 1)
    found.find_limits(FOREVER)
    assert found.line(key)["seeds"] == [1, 1, 1] and found.line(key)["low"] != before["low"]
    assert (found.checkpoints("branch-0", 0), found.checkpoints("branch-0", 1)) == (3, 0)
    assert found.last("branch-0", 1) == {} and found.spent("branch-0", 1) is None
    reader = BranchReader(RunFolder(folder).branch("branch-0-seed1"))
    found.add("branch-0", 1, reader.new_rows().records)
    found.find_limits(FOREVER)
    assert found.line(key) == before


def test_a_branch_that_starts_from_another_one_counts_what_that_had_spent(tmp_path):
    made = Made(seeds=1)
    folder = made.write(tmp_path / "run")
    text = (folder / "study.toml").read_text()
    table = '[branches.branch-1]\nrecipe = "ppo"\nlabel = "Branch 1"\nstart = "init"\nstart_at = 1.0'
    assert table in text
    (folder / "study.toml").write_text(text.replace(table, table.replace('"init"', '"branch-0"').replace("1.0", "0.5")))
    line = answers(folder, made).line(Key("branch-1", "id", "greedy", "success"))
    run = load_run(folder)
    entries = [entry for entry in Analysis([run]).curve(run.named["branch-1"]) if entry.branch == "branch-1"]
    assert line["flops"] == [Analysis([run]).compute(entry, "flops") for entry in entries]
    assert line["flops"][0] > made.fractions[0] * 1e12
