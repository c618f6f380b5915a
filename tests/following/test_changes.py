from tests.following.made import Made

from shiftgym.following.follower import whole_board
from shiftgym.layout import RunFolder, branch_title
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_run


def changes(folder):
    return whole_board(folder).since().get("changes", {})


def test_changes_are_those_that_the_report_judges_by(tmp_path):
    folder = Made(seeds=3, problems=6).write(tmp_path / "run")
    analysis = Analysis([load_run(folder)])
    found = changes(folder)
    others = [entry for entry in analysis.entries if entry.name == entry.branch and entry != analysis.start]
    splits = [analysis.home, *analysis.shifted]
    for entry in others:
        for split in splits:
            decoding, measure, _ = analysis.primary(split)
            judged = analysis.judged(entry, analysis.start, split)
            shown = found[f"{entry.branch}|{split}|{decoding}|{measure}"]
            assert [shown[name] for name in ("value", "low", "high")] == [
                getattr(judged.interval, name) for name in ("value", "low", "high")
            ]
            assert shown["level"] == (judged.level and judged.level.value)
            assert shown["seeds"] == 3
    assert len(found) == len(others) * len(splits) == 4


def test_only_seeds_that_both_have_done_are_paired(tmp_path):
    made = Made(branches=1, seeds=2)
    run = made.prepare(tmp_path / "run")
    for seed in (0, 1):
        made.write_branch(run.branch(branch_title("init", seed)), "init", seed)
    assert changes(run.path) == {}
    made.write_branch(run.branch(branch_title("branch-0", 1)), "branch-0", 1, checkpoints=1)
    assert {of["seeds"] for of in changes(run.path).values()} == {1}


def test_what_no_answer_tells_apart_has_a_level(tmp_path):
    folder = Made(branches=1, seeds=1).write(tmp_path / "run")
    for branch in RunFolder(folder).begun():
        text = branch.results.read_text()
        branch.results.write_text(
            text.replace('"success": 0.0', '"success": 1.0').replace('"success": 0.5', '"success": 1.0')
        )
    assert {(of["level"], of["value"]) for of in changes(folder).values()} == {(1.0, 0.0)}
