"""The data set of a GRPOTrainer."""

import pytest
from tests.integrations.parity import STUDIES, problems

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import opened
from shiftgym.integrations.trl.data import dataset, posed_by, require_as_posed
from shiftgym.tasks.walk import decisions

pytest.importorskip("datasets")


@pytest.mark.parametrize("study", STUDIES)
def test_each_row_is_a_decision_and_poses_it(study):
    source = problems(study)
    data = dataset(source, "rule_ood", 2)
    asked = [
        (index, number, decision)
        for index in range(2)
        for number, decision in enumerate(decisions(source.task, source.task.problem("rule_ood", index)))
    ]
    assert len(data) == len(asked)
    for row, (index, number, decision) in zip(data, asked, strict=True):
        named = source.row("rule_ood", index, decision=number)
        assert {name: row[name] for name in named} == named
        assert posed_by(row["prompt"]) == named
        (said,) = decision.prompt
        (told,) = row["prompt"]
        assert told["role"] == "user"
        if not study.endswith("vision"):
            assert told["content"] == said["content"]
            assert opened(row).messages == [{"role": "user", "content": told["content"]}]
            continue
        assert [part["type"] for part in told["content"]] == ["text"] + ["image"] * len(said["pictures"])
        assert told["content"][0]["text"] == said["content"]
        drawn = [picture.draw() for picture in said["pictures"]]
        assert [image.tobytes() for image in row["images"]] == [image.tobytes() for image in drawn]
        if number == 1:
            break


def test_what_cannot_be_asked():
    with pytest.raises(ConfigError, match="unknown split 'ood'"):
        dataset(problems("points-text"), "ood", 1)
    for count in (0, -1, 2.5, "3"):
        with pytest.raises(ConfigError, match=f"count: {count!r} is no number of problems; give 1 or more"):
            dataset(problems("points-text"), "id", count)
    for prompt in ("Make 24.", [{"role": "user", "content": "Make 24."}]):
        with pytest.raises(ConfigError, match="a prompt does not say which problem it poses; train on what"):
            posed_by(prompt)


def test_a_prompt_that_says_something_else_is_refused():
    """A rollout poses what the row names, so the model would not read it."""
    source = problems("points-vision")
    decision = source.task.start(source.task.problem("id", 0))
    (said,) = dataset(source, "id", 1)[0]["prompt"]
    require_as_posed([said], decision)
    more = [*said["content"], {"type": "text", "text": " Be brief."}]
    system = {"role": "system", "content": "Be brief."}
    for other in ([system, said], [{**said, "content": more}], [{**said, "role": "system"}]):
        with pytest.raises(ConfigError, match="a prompt is not the one that its row poses; train on what"):
            require_as_posed(other, decision)
