"""The one rule: differences, verdicts, the effect; and that names have no part in it."""

import json
import re
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from rich.console import Console

from shiftgym.evaluation.statistics import Interval
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import Condition, Difference, Effect, Verdict, at_least_wilson, verdict_of
from shiftgym.reports.entries import Entry
from shiftgym.reports.load import check_poolable, load_run
from shiftgym.reports.page import build_report
from shiftgym.reports.terminal import result_table

INTERVALS = {"rose": Interval(0.2, 0.1, 0.3), "fell": Interval(-0.2, -0.3, -0.1), "undecided": Interval(0, -0.1, 0.1)}
START, SFT, PPO = (Entry(name, name, "further", name, (1.0,)) for name in ("start", "SFT", "PPO"))


def effect(sft: Verdict, ppo: Verdict, gap: Verdict) -> Effect:
    return Effect(
        (
            Condition(Difference(SFT, START, INTERVALS[sft]), "fell"),
            Condition(Difference(PPO, START, INTERVALS[ppo]), "rose"),
            Condition(Difference(PPO, SFT, INTERVALS[gap]), "rose"),
        )
    )


def test_a_verdict_is_the_side_on_which_the_interval_lies() -> None:
    assert {name: verdict_of(interval) for name, interval in INTERVALS.items()} == {name: name for name in INTERVALS}
    assert verdict_of(INTERVALS["rose"], 0.05) == "rose"
    assert verdict_of(INTERVALS["rose"], 0.15) == "undecided"
    assert verdict_of(INTERVALS["rose"], 0.35) == "fell"


@pytest.mark.parametrize("found", list(product(INTERVALS, repeat=3)))
def test_the_effect_appears_only_if_all_three_conditions_hold(found: tuple[Verdict, Verdict, Verdict]) -> None:
    sft, ppo, gap = found
    if found == ("fell", "rose", "rose"):
        assert effect(*found).verdict == "appeared"
    elif sft == "rose" or ppo == "fell" or gap == "fell":
        assert effect(*found).verdict == "did not appear"
    else:
        assert effect(*found).verdict == "undecided"


def test_differences_are_paired_and_agree_with_the_rates(analysis: Analysis) -> None:
    sft, start = analysis.supervised, analysis.start
    assert sft is not None and start is not None
    found = analysis.difference(sft, start, "rule_ood", "greedy", "success_1")
    rates = [analysis.rate(entry, "rule_ood", "greedy", "success_1") for entry in (sft, start)]
    assert found is not None
    assert found.interval.value == pytest.approx(rates[0].value - rates[1].value)  # type: ignore[union-attr]
    assert len(found.interval.each) == 3
    assert found.verdict == "fell"


def test_the_effect_is_judged_by_the_primary_measure(analysis: Analysis) -> None:
    found = analysis.effect("rule_ood")
    assert [condition.wanted for condition in found.conditions] == ["fell", "rose", "rose"]
    for condition in found.conditions:
        one = condition.difference
        assert one == analysis.difference(one.a, one.b, "rule_ood", "sampled", "success")
    assert found.verdict == words.headline(analysis, "rule_ood").removeprefix("The effect ").split(":")[0].lower()


def test_a_shifted_split_may_have_a_primary_measure_of_its_own(make_run: Any) -> None:
    folder = make_run(problems=10, fractions=(1.0,))
    study = folder / "study.toml"
    study.write_text(study.read_text().replace("[evaluation]", '[compare.measures]\nrule_ood = "valid"\n[evaluation]'))
    analysis = Analysis([load_run(folder)])
    assert (analysis.primary("rule_ood").measure, analysis.primary("id").measure) == ("valid", "success")
    one = analysis.effect("rule_ood").conditions[0].difference
    assert one == analysis.difference(one.a, one.b, "rule_ood", "sampled", "valid")


def test_rivals_tie_with_or_beat_the_reinforced_branch(analysis: Analysis) -> None:
    found = analysis.rivals("rule_ood")
    assert [(one.a.name, one.verdict) for one in found] == [("sft-diverse", "rose")]


def test_a_measure_that_applies_to_nothing_has_no_rate(analysis: Analysis) -> None:
    assert analysis.rate(analysis.entries[0], "id", "greedy", "perseverated") is None


def test_answers_that_are_all_wrong_are_not_certainly_so() -> None:
    # Wilson's upper limit of 0 of 192 is z^2 / (n + z^2).
    upper = 1.959964**2 / (192 + 1.959964**2)
    found = at_least_wilson(Interval(0.0, 0.0, 0.0, (0.0, 0.0, 0.0), 64))
    assert (found.low, found.high) == (0.0, pytest.approx(upper, abs=1e-4))


def test_two_backbones_are_pooled_as_clusters_of_seeds(make_run: Any) -> None:
    flat = dict.fromkeys(("init", "ppo", "sft-diverse", "ppo-noisy"), (0.55, 0.35, 0.25))
    options: dict[str, Any] = {"problems": 20, "fractions": (1.0,)}
    folders = make_run(model="one", **options), make_run(model="two", rates={**flat, "sft": (0.9, 0.3, 0.3)}, **options)
    pooled = Analysis([load_run(folder) for folder in folders])
    check_poolable(pooled.runs)
    assert pooled.backbones == [0, 0, 0, 1, 1, 1]

    def loss(analysis: Analysis) -> Interval:
        assert analysis.supervised is not None and analysis.start is not None
        found = analysis.judged(analysis.supervised, analysis.start, "rule_ood")
        assert found is not None
        return found.interval

    each = [loss(Analysis([load_run(folder)])).value for folder in folders]
    assert loss(pooled).value == pytest.approx(sum(each) / 2)
    assert len(loss(pooled).each) == 6


NAMES = {
    "train": "aintr", "id": "di", "rule_ood": "ood_lure",
    "sft": "tfs", "ppo": "opp", "sft-diverse": "tfs-reviesd", "ppo-noisy": "noisy-opp",
}  # fmt: skip
"""Of splits and branches: other names that sort otherwise. They have the same letters, so that axes titles stand where
they stood."""


def test_the_names_of_splits_and_branches_decide_nothing(
    make_run: Any, few: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The figures are drawn from the panels of the page once more.
    monkeypatch.setattr("shiftgym.reports.page.save", lambda *_: [])
    options = {**few, "splits": ("train", "id", "rule_ood"), "problems": 6, "fractions": (0.5, 1.0)}
    folders = make_run(**options), make_run(**options)
    _rewrite(folders[0], {})
    _rewrite(folders[1], NAMES)
    pages, tables = [], []
    for folder in folders:
        # The problems themselves are drawn by the names of their splits.
        text = build_report(folder).read_text(encoding="utf-8")
        pages.append(re.sub(r'"problems":.*?</script>', "", text))
        Console(width=400).print(result_table(folder))
        tables.append(capsys.readouterr().out)
    old = {new: old for old, new in NAMES.items()}
    # A name may stand in the title of a branch, which ends in its seed.
    any_name = re.compile(rf"(?<![\w-])({'|'.join(old)})(?=-seed\d|(?![\w-]))")
    assert any_name.search(pages[1]) and not any_name.search(pages[0])
    page, table = (any_name.sub(lambda found: old[found[0]], text) for text in (pages[1], tables[1]))
    assert page == pages[0]
    assert table == tables[0]


def _rewrite(folder: Path, names: dict[str, str]) -> None:
    """Write a run folder again with other names of splits and branches."""

    def new(value: Any) -> Any:
        if isinstance(value, dict):
            # The keys of [compare] and the name of a recipe are no names of splits or branches.
            own = value.keys() & {"home", "recipe"}
            return {key if own else names.get(key, key): inner if key == "recipe" else new(inner)
                    for key, inner in value.items()}  # fmt: skip
        if isinstance(value, list):
            return [new(inner) for inner in value]
        if isinstance(value, str) and " of " in value:
            return re.sub(r"(?<= of )\w+(?=\.)", lambda found: names.get(found[0], found[0]), value)
        return names.get(value, value) if isinstance(value, str) else value

    study = folder / "study.toml"
    study.write_text(tomli_w.dumps(new(tomllib.loads(study.read_text()))))
    for path in folder.rglob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(new(record)) + "\n" for record in records))
    for place in list((folder / "branches").iterdir()):
        branch, seed = place.name.rsplit("-seed", 1)
        place.rename(place.with_name(f"{names.get(branch, branch)}-seed{seed}"))
