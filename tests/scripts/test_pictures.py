"""Pictures of the documentation are what their code draws, say in words what they show; answers are text in them."""

import xml.etree.ElementTree as ET

import pytest
from scripts.pictures import architecture, points_episode, trajectory
from scripts.pictures.__main__ import FIGURES, PICTURES

from shiftgym import ScriptedPolicy, load_study, play

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_drawing_of_the_rooms_is_that_of_the_layers():
    assert (FIGURES / "architecture.svg").read_text(encoding="utf-8") == architecture.draw()


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_small_and_says_what_it_shows(name):
    svg = (FIGURES / f"{name}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(svg)
    assert len(svg) < 500_000
    assert root.find(f"{SVG}title").text and root.find(f"{SVG}desc").text
    assert "prefers-color-scheme:dark" in svg
    assert min(float(element.get("font-size")) for element in root.iter(f"{SVG}text")) >= 12


def test_what_moves_keeps_still_for_those_who_want_that():
    for name in ("episode-points", "episode-navigation"):
        svg = (FIGURES / f"{name}.svg").read_text(encoding="utf-8")
        assert "animation:" not in (FIGURES / f"{name}-still.svg").read_text(encoding="utf-8")
        assert svg.count("animation:") == svg.count("@media(prefers-reduced-motion:no-preference)") > 0


def test_an_episode_is_drawn_with_its_answers_verdicts_and_rewards():
    task = load_study("points-text").build_task()
    answers = [
        '{"number": [6, 10, 9, 6], "formula": "10+9+6-6"}',
        '{"formula": "</text><script>alert(1)</script>"}',
        '{"formula": "12*6/(9-6)"}',
    ]
    (episode,) = play(ScriptedPolicy(answers), task, [0], split="rule_ood")
    svg = points_episode.drawn(task, episode)
    assert "<script" not in svg
    told = words(svg)
    assert "✗ wrong_numbers, −2" in told
    assert "✗ illegal, −3" in told
    assert "✓ correct, +5" in told
    assert told.count("Q as in training") == 1
    assert "Solved in 3 attempts, rewards −2 −3 +5." in told


@pytest.mark.parametrize(("low", "high"), [(0.57, 0.8), (0.0, 1.0), (0.5, 0.56)])
def test_an_axis_has_a_few_round_ticks(low, high):
    ticks = trajectory.Scale(low, high, 0.0, 300.0).ticks
    assert 3 <= len(ticks) <= 8
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
