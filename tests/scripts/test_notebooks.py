"""Notebooks run from top to bottom and find what their prose says, and their pages hold what they hold."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts.notebooks import FOLDER, PICTURES, Cell, Shown, as_notebook, cells, names_of, page, read, run

SCRIPT = """# %% [markdown]
# # Title
#
#     indented

# %% A sum
total = 1 + 1
print("two")
total

# %%
"no more than a text"
"""


def test_a_script_has_cells_of_prose_and_of_code() -> None:
    assert cells(SCRIPT) == [
        Cell("# Title\n\n    indented", prose=True),
        Cell('total = 1 + 1\nprint("two")\ntotal', prose=False, title="A sum"),
        Cell('"no more than a text"', prose=False),
    ]


def test_a_cell_shows_what_it_prints_and_its_last_value() -> None:
    names: dict[str, Any] = {}
    assert list(run(cells(SCRIPT), names)) == [Shown(), Shown("two\n2"), Shown("'no more than a text'")]
    assert names["total"] == 2


def test_a_cell_shows_its_picture() -> None:
    figure, image = (
        "from matplotlib import pyplot as plt\nplt.figure(figsize=(1, 1)).add_subplot()",
        "from PIL.Image import new\nnew('RGB', (2, 2))",
    )
    for drawn in run([Cell(figure, prose=False), Cell(image, prose=False)], {}):
        assert drawn.picture.startswith(b"\x89PNG") and not drawn.text
    [after] = run([Cell("1", prose=False)], {})
    assert not after.picture, "the figure was closed"


def test_a_notebook_file_has_the_same_cells() -> None:
    made = json.loads(json.dumps(as_notebook(cells(SCRIPT))))
    assert [each["cell_type"] for each in made["cells"]] == ["markdown", "code", "code"]
    assert ["".join(each["source"]) for each in made["cells"]] == [cell.text for cell in cells(SCRIPT)]
    assert len({each["id"] for each in made["cells"]}) == 3


@pytest.mark.parametrize("name", names_of())
def test_a_page_holds_the_cells_of_its_notebook(name: str) -> None:
    shown = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    pictures = re.findall(rf"\(\.\./figures/notebooks/({name}-(\d+)\.png)\)", shown)
    without = re.sub(r"\n\n```text\n.*?\n```(?=\n)|\n\n!\[[^]]*\]\([^)]*\)", "", shown, flags=re.DOTALL)
    notebook = read(name)
    assert without == page(name, notebook, [Shown()] * len(notebook)), f"python scripts/notebooks.py {name}"
    for file, number in pictures:
        assert (PICTURES / file).is_file() and notebook[int(number)].title, "a picture has words for who cannot see it"


def first_look(names: dict[str, Any]) -> None:
    outcomes = [attempt.verdict.outcome for attempt in names["attempts"]]
    assert outcomes[-1] == "correct" and 10 in json.loads(names["attempts"][0].answer)["number"]
    assert {row["split"] for row in names["found"].rows} == {"id", "rule_ood"}


def memorising(names: dict[str, Any]) -> None:
    first, *_, last = (names["found"].verdicts[label]["rule_ood"] for label in names["checkpoints"])
    assert first.shifted.interval.value > 0 and last.shifted.interval.sign == -1
    perseverated = dict(names["rates"].filter(split="rule_ood").select("branch", "perseverated").iter_rows())
    assert perseverated["step-18"] > perseverated["init"]


def my_recipe(names: dict[str, Any]) -> None:
    steps = {label: result.steps for label, result in names["trained"].items()}
    assert steps["SFT"] > steps["own first"] >= 2
    assert all(names["BUDGET"] <= result.ledger.flops < 2 * names["BUDGET"] for result in names["trained"].values())
    assert names["changes"]["success_1", "id", "SFT"].value > 0


FOUND: dict[str, Callable[[dict[str, Any]], None]] = {
    "first_look": first_look,
    "memorising": memorising,
    "my_recipe": my_recipe,
}
"""What the prose of each notebook relies on."""


@pytest.mark.slow
@pytest.mark.parametrize("name", names_of())
def test_a_notebook_runs_and_finds_what_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = list(run(read(name), names))
    assert any(each.picture for each in shown)
    FOUND[name](names)
