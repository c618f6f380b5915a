"""One episode of navigation as a picture: the map of the route, what is seen at each stop, and every answer with its
verdict."""

import base64
import io
import re
from collections.abc import Sequence

from scripts.pictures.drawing import SMALL, WIDTH, frames, lines_of, picture, text

from shiftgym import Episode, load_study, play
from shiftgym.episodes import DecisionRecord
from shiftgym.tasks.navigation.task import NavigationTask
from shiftgym.tasks.navigation.verifier import read

MODEL, STUDY, SPLIT, INDEX = "navigation-vision-0", "navigation-vision", "look_ood", 4

MARGIN, TOP, MAP, VIEW = 16.0, 62.0, 216.0, 164.0
"""Left and right of everything; where the map begins; its height at most; height of the street view."""
RIGHT, WRONG, LAST = 1.6, 3.6, 5.0
"""Seconds for which an answer is shown."""

Point = tuple[float, float]


def draw() -> str:
    """The picture. Needs about half a minute of one core."""
    study = load_study(STUDY)
    task = study.build_task()
    (episode,) = play(MODEL, task, [INDEX], split=SPLIT, max_new_tokens=study.evaluation.max_new_tokens)
    return drawn(task, episode)


def drawn(task: NavigationTask, episode: Episode) -> str:
    """The picture of an episode that was played."""
    route = episode.problem
    city = route.city.replace("_", " ").title()
    chart, spots, below = _map(task.figure(route, {}))
    parts = [
        text(MARGIN, 28, f"Walk a route through {city}.", "bold"),
        text(MARGIN, 48, "The routes for training lie in New York.", "muted", SMALL),
        chart,
    ]
    answers = [(number, at) for number, record in enumerate(episode.decisions) for at in range(len(record.attempts))]
    shown = "".join(_view(number, record, below) for number, record in enumerate(episode.decisions))
    parts.append(f"<defs>{shown}</defs>")
    foot = below + VIEW
    for number, at in answers:
        said, lowest = _said(episode.decisions[number], number, at, len(route.stops), below + 12)
        foot = max(foot, lowest)
        here = [_walked(spots[: number + 1]), f'<use href="#view{number}"/>', *said]
        parts.append(f'<g class="{_frame(number, at)}">{"".join(here)}</g>')
    seconds = [RIGHT if episode.decisions[number].attempts[at].verdict.correct else WRONG for number, at in answers]
    seconds[-1] = LAST
    revised = next(((number, at) for number, at in answers if at), answers[-1])
    style = frames([_frame(*answer) for answer in answers], seconds, _frame(*revised))
    foot += 28
    reward = f"{episode.reward:+g}".replace("-", "−")
    ending = "Arrived" if episode.success else "Stopped"
    summary = f"{ending}: {len(episode.decisions)} stops, {len(answers)} answers, reward {reward}."
    parts.append(text(MARGIN, foot, summary, "bold"))
    parts.append(text(MARGIN, foot + 20, f"{MODEL} as it ships, sampled: route {INDEX} of {SPLIT}", "muted", SMALL))
    return picture(foot + 34, "One episode of navigation", _description(episode), parts, MAP_STYLE + style)


def _frame(number: int, at: int) -> str:
    """The class of what is shown with attempt `at` at stop `number`."""
    return f"s{number}a{at}"


MAP_STYLE = (
    ":root{--rail:var(--muted)}"
    ".walked{fill:none;stroke:var(--accent);stroke-width:5;stroke-linecap:round;stroke-linejoin:round}"
)


def _map(figure: str) -> tuple[str, list[Point], float]:
    """The map of a route without its names, where its stops are in the picture, and what may begin below it."""
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', figure)
    assert box is not None
    width, height = map(float, box.groups())
    scale = min((WIDTH - 2 * MARGIN) / width, MAP / height)
    left = (WIDTH - scale * width) / 2
    stops = re.findall(r'data-decision="\d+" cx="([\d.]+)" cy="([\d.]+)"', figure)
    spots = [(left + scale * float(x), TOP + scale * float(y)) for x, y in stops]
    figure = re.sub(r"<text.*?</text>|<title>.*?</title>", "", figure)
    room = f'<svg x="{left:.1f}" y="{TOP:g}" width="{scale * width:.1f}" height="{scale * height:.1f}" '
    chart = re.sub(r"<svg[^>]*?(viewBox=\"[^\"]+\")[^>]*>", rf"{room}\1>", figure, count=1)
    return chart, spots, TOP + scale * height + 14


def _walked(spots: Sequence[Point]) -> str:
    """The way so far, and where one stands."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    x, y = spots[-1]
    here = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="none" stroke="var(--ink)" stroke-width="2.5"/>'
    return f'<polyline class="walked" points="{path}"/>{here}'


def _view(number: int, record: DecisionRecord, y: float) -> str:
    """What is seen at a stop, as the model was shown it."""
    (seen,) = record.decision.prompt[-1]["pictures"]
    buffer = io.BytesIO()
    seen.draw().save(buffer, "JPEG", quality=82, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<image id="view{number}" x="{MARGIN:g}" y="{y:g}" width="{VIEW:g}" height="{VIEW:g}" '
        f'href="data:image/jpeg;base64,{data}"/>'
    )


def _said(record: DecisionRecord, number: int, at: int, stops: int, y: float) -> tuple[list[str], float]:
    """What is asked at a stop, and the answers to it up to attempt `at`; how far down that reaches."""
    x = MARGIN + VIEW + 12
    room = WIDTH - x - 10
    decision = record.decision
    instruction = decision.problem.instructions[decision.stop.instruction - 1]
    rows = [text(x, y, f"Stop {number + 1} of {stops}", "bold", SMALL)]
    for line in lines_of(instruction, room, SMALL):
        y += 15
        rows.append(text(x, y, line, "muted", SMALL))
    for attempt in record.attempts[: at + 1]:
        y += 8
        verdict = attempt.verdict
        for line in lines_of(str(read(attempt.answer).get("action", "no action")), room, SMALL, mono=True):
            y += 15
            rows.append(text(x, y, line, "mono", SMALL))
        y += 16
        reward = f"{verdict.reward:+g}".replace("-", "−")
        mark, kind = ("✓", "good") if verdict.correct else ("✗", "bad")
        rows.append(text(x, y, f"{mark} {verdict.outcome}, {reward}", f"bold {kind}", SMALL))
        for line in lines_of(f"“{verdict.feedback}”", room, SMALL) if not verdict.correct else ():
            y += 15
            rows.append(text(x, y, line, size=SMALL))
    return rows, y


def _description(episode: Episode) -> str:
    """The same in words."""
    told = [
        f"Stop {number}: "
        + ", then ".join(
            f"{read(attempt.answer).get('action')}, verdict {attempt.verdict.outcome}" for attempt in record.attempts
        )
        + "."
        for number, record in enumerate(episode.decisions, 1)
    ]
    return f"Instructions: {' '.join(episode.problem.instructions)} " + " ".join(told)
