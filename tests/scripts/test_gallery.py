"""The gallery finds the runs that there are, and its page has a place for every report."""

import tomllib

from scripts import gallery


def test_the_page_has_a_place_for_every_report_and_reports_are_small():
    page = gallery.PAGE.read_text(encoding="utf-8")
    for entry in tomllib.loads(gallery.REPORTS.read_text(encoding="utf-8"))["reports"]:
        assert f"<!-- begin {entry['name']} -->" in page
    reports = list(gallery.FOLDER.glob("*.html"))
    assert all(f"(gallery/{report.name})" in page for report in reports)
    assert sum(report.stat().st_size for report in reports) < 8_000_000


def test_runs_of_a_name_are_found_in_folders_of_runs_and_of_suites(tmp_path):
    for name in ("points-text-20260101-1", "points-text-20260102-1", "points-text-quick-20260103-1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "paper" / "points-text").mkdir(parents=True)
    assert [path.name for path in gallery._runs(tmp_path / "runs", "points-text")] == [
        "points-text-20260101-1",
        "points-text-20260102-1",
    ]
    assert gallery._runs(tmp_path / "paper", "points-text") == [tmp_path / "paper" / "points-text"]
