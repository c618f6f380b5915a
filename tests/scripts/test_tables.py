"""The tables of a run as documents have them."""

from pathlib import Path

import pytest
from tests.reports.conftest import write_run

from scripts import tables
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_run


def test_numbers_are_those_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path)
    tables.main(folder, ["sampled:success", "greedy:success_1"])
    analysis = Analysis([load_run(folder)])
    out = capsys.readouterr().out
    _, home, *_, shifted = out.split("## ")
    assert "−" in shifted and " − " not in home
    ppo, start = (next(one for one in analysis.entries if one.name == name) for name in ("ppo", "init"))
    rates = [analysis.rate(ppo, "rule_ood", *view) for view in (("sampled", "success"), ("greedy", "success_1"))]
    assert f"| {ppo.label} | {' | '.join(f'{100 * rate.value:.1f}' for rate in rates if rate)} |" in shifted
    found = tables.difference(analysis, ppo, start, "rule_ood", "sampled", "success")
    assert f"| {ppo.label} − start | {found} |" in shifted
    assert len(tables.by_seed(analysis, ppo, "rule_ood")) == len(analysis.first.seeds)
