"""V-IRL navigation (paper, section 4.2 and appendix B): follow instructions along a route, step by step."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shiftgym.errors import ConfigError, DataError
from shiftgym.messages import Messages, Picture, user
from shiftgym.seeds import derive, rng
from shiftgym.tasks.base import Diagnosis
from shiftgym.tasks.navigation import drawing, prompts, verifier
from shiftgym.tasks.navigation.route import WORDINGS, Route, Stop, Wording
from shiftgym.tasks.navigation.rules import SPACES, draw_rule, known_rule
from shiftgym.tasks.navigation.streetview.panorama import Panorama
from shiftgym.tasks.navigation.streetview.view import StreetPicture
from shiftgym.tasks.navigation.verify_line import NavigationRequest
from shiftgym.tasks.navigation.world import virl_files
from shiftgym.tasks.navigation.world.cities import draw_city, known_city
from shiftgym.tasks.navigation.world.streets import load_streets
from shiftgym.tasks.navigation.world.ways import Routes, draw_way, lay_rail
from shiftgym.verdicts import Verdict

MOST_LEGS = 8
SAYS: Mapping[Wording, str] = {
    "relative": "turn by relative word",
    "compass": "turn by compass word",
    "both": "turn by both words",
    "landmark": "turn by landmark",
}
"""Labels under which turns are counted."""


class NavigationOptions(BaseModel):
    """Settings of the whole task."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    limit: int = Field(2, ge=1)
    """Attempts a stop of the route."""
    hint: verifier.Hint = "outcome"
    """What feedback says after a failed attempt: only that it failed, the outcome, or the detail."""
    expert: Literal["worked", "direct"] = "worked"
    """Whether expert answers show their steps before the action."""
    landmark_reward: bool = False
    """Whether a right action with a misread landmark is wrong and earns -1.5."""
    modality: Literal["text", "vision"] = "text"
    """Whether the prompt says what is seen at the present stop or shows a picture of it."""
    size: int = Field(192, ge=96, le=2400)
    """Pixels of a picture's side, which holds two views."""


class NavigationSetting(BaseModel):
    """Settings of one split: the rule, the city, and its routes."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    rule: str = "absolute"
    """The rule, which is an action space; see `tasks/navigation/rules.py`."""
    city: str = "new_york"
    """A city of `tasks/navigation/world/cities.py`, `all_but_new_york` and the like for any other of them, the path of
    a map (.osm, .graphml), or a published archive's folder."""
    routes: Routes = "train"
    """Take only training routes, only test routes, or all. No route is both."""
    legs: tuple[int, int] = (3, 6)
    """Fewest and most legs of a route, from 2 to 8."""
    straights: int = Field(3, ge=0, le=5)
    """Most stops on a leg at which the right action is to go forward."""
    passing: bool = False
    """Hard mode: intersections on the way, where the route does not turn, are stops and are reported too."""
    expert: Literal["worked", "direct"] | None = None
    """Style of expert answers on this split, if it is not that of the task."""
    wordings: dict[Wording, float] = {"relative": 0.25, "compass": 0.25, "both": 0.2, "landmark": 0.3}
    """Weights of the wordings of a turn: a relative word, a compass word, both, or towards a landmark. Where no
    landmark lies in the new direction another wording is drawn, so a weight of 0.3 gives a share of about 0.1."""

    @field_validator("rule", "city")
    @classmethod
    def _known(cls, name: str, info: Any) -> str:
        try:
            if info.field_name == "rule":
                return known_rule(name)
            return name if virl_files.is_archive(Path(name)) else known_city(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _possible(self) -> "NavigationSetting":
        if not 2 <= self.legs[0] <= self.legs[1] <= MOST_LEGS:
            raise ValueError(f"legs: a route has from 2 to {MOST_LEGS} legs, such as [3, 6]")
        if any(weight < 0 for weight in self.wordings.values()) or not sum(self.wordings.values()):
            raise ValueError(f"wordings: weights of {', '.join(WORDINGS)} are not negative and not all zero")
        changed = [key for key in ("legs", "passing") if getattr(self, key) != type(self).model_fields[key].default]
        if changed and virl_files.is_archive(Path(self.city)):
            raise ValueError(f"{changed[0]}: the routes of an archive are as recorded; leave it out with {self.city!r}")
        return self


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """One stop of a route. What follows is the same whatever is answered: wrong moves are never executed."""

    problem: Route
    number: int
    """Which stop, from 0."""
    past: str
    """The prompt up to the present stop."""
    options: NavigationOptions
    picture: Picture | None = None
    """What is seen here, if it is shown."""

    @property
    def stop(self) -> Stop:
        return self.problem.stops[self.number]

    @property
    def situation(self) -> verifier.Situation:
        stop, options = self.stop, self.options
        return verifier.Situation(
            SPACES[self.problem.rule],
            stop.heading,
            stop.expected,
            stop.next_heading,
            stop.intersection,
            stop.landmark,
            options.landmark_reward,
        )

    @property
    def prompt(self) -> Messages:
        if self.picture is not None:
            return [user(self.past + prompts.pictured(self.stop), self.picture)]
        return [user(self.past + prompts.observation(self.stop))]

    def judge(self, answer: str) -> Verdict:
        return verifier.judge(answer, self.situation, self.options.hint)

    def next(self) -> "RouteDecision | None":
        number, route = self.number + 1, self.problem
        if number == len(route.stops):
            return None
        past = self.past + prompts.observation(self.stop) + prompts.done(self.stop, SPACES[route.rule])
        return RouteDecision(route, number, past, self.options, views(route, number, self.options))


def views(route: Route, number: int, options: NavigationOptions) -> Picture | None:
    """The picture of what is seen at a stop; none in text. Random details are seeded by the location, so returning to a
    place shows the same houses."""
    if options.modality == "text":
        return None
    stop = route.stops[number]
    if stop.panorama is not None:
        return Panorama(virl_files.picture_of(route.city, stop.panorama), round(stop.heading), options.size)
    corners = load_streets(route.city).exits.get((stop.x, stop.y)) if stop.intersection else None
    leaving = corners or (stop.heading, stop.heading + 180)
    return StreetPicture(
        route.city,
        tuple(sorted({round(bearing - stop.heading) % 360 for bearing in leaving})),
        (stop.landmark.name, stop.landmark.where) if stop.landmark else None,
        options.size,
        derive(0, "street", route.city, f"{stop.x:g} {stop.y:g}") % 2**32,
    )


class NavigationTask:
    """V-IRL navigation, in text (the paper's V-IRL-L) or in pictures (V-IRL-VL).

    Args:
        options: settings of the whole task.
        splits: settings of each split, by name.
        seed: the data seed; it alone decides which problem has which index.
        train: the split that is trained on. Perseveration is measured against its rule, and not at all if it is None
            or not among the splits.
    """

    name: ClassVar[str] = "navigation"
    Options: ClassVar[type[BaseModel]] = NavigationOptions
    Setting: ClassVar[type[BaseModel]] = NavigationSetting
    outcomes: ClassVar[tuple[str, ...]] = tuple(outcome.value for outcome in verifier.Outcome)
    VerifyRequest: ClassVar[type[NavigationRequest]] = NavigationRequest
    field: ClassVar[str] = verifier.FIELD

    def __init__(
        self, options: NavigationOptions, splits: Mapping[str, NavigationSetting], seed: int, train: str | None
    ) -> None:
        self.options = options
        self.splits: Mapping[str, Any] = dict(splits)
        self.seed = seed
        self.limit = options.limit
        trained = self.splits[train].rule if train in self.splits else None
        self.trained_rule = trained if trained in SPACES else None

    def problem(self, split: str, index: int) -> Route:
        """Problem `index` of `split`. Each part has a random stream of its own, so a setting changes only its factor.

        Raises:
            ConfigError: the city has no such route.
            DataError: its file cannot be read, or lacks a street view that is to be shown.
        """
        return self._route(split, index)

    def perturbed(self, problem: Route) -> dict[str, Route]:
        """The same way with its instructions put in other words, and with other landmarks along it (those of an archive
        are as recorded)."""
        return {
            kind: self._route(problem.split, problem.index, again)
            for kind, again in (("reworded", ("words", "phrases")), ("other landmarks", ("sights",)))
        }

    def _route(self, split: str, index: int, again: Collection[str] = ()) -> Route:
        """A problem; the parts named in `again` are drawn once more."""

        def streams(part: str) -> random.Random:
            return rng(self.seed, self.name, split, index, part, *(["perturbed"] if part in again else []))

        setting = self.splits[split]
        rule = draw_rule(setting.rule, streams("rule"))
        city = draw_city(setting.city, streams("city"))
        if virl_files.is_archive(Path(city)):
            archive = virl_files.load_archive(city)
            rail = archive.rail(setting.routes, index, streams, straights=setting.straights, wordings=setting.wordings)
            blind = [stop for stop in rail[-1] if stop.panorama is None]
            if blind and self.options.modality == "vision":
                location = f"({blind[0].x:g}, {blind[0].y:g}) metres"
                raise DataError(f"{city}: {setting.routes} route {index} has no street view at {location}")
        else:
            streets = load_streets(city)
            way = draw_way(streets, setting.routes, setting.legs, streams("way"))
            rail = lay_rail(
                streets, way, streams, pauses=setting.straights, passing=setting.passing, wordings=setting.wordings
            )
        return Route(split, index, city, rule, *rail)

    def start(self, problem: Route) -> RouteDecision:
        past = prompts.opening(problem, shown=self.options.modality == "vision")
        return RouteDecision(problem, 0, past, self.options, views(problem, 0, self.options))

    def expert(self, decision: RouteDecision) -> str:
        route = decision.problem
        style = self.splits[route.split].expert or self.options.expert
        return prompts.answer(decision.stop, SPACES[route.rule], steps=style == "worked")

    def diagnose(self, decision: RouteDecision, answer: str) -> Diagnosis:
        found = verifier.read(answer)
        situation = decision.situation
        translated, perseverated = verifier.translation(found, situation, self.trained_rule)
        kinds: tuple[str, ...] = (situation.expected,)
        if situation.expected == "turn":
            kinds += (SAYS[decision.problem.wordings[(decision.stop.instruction - 1) // 2]],)
        recognised = verifier.recognises(found, situation) if decision.picture is not None else None
        return Diagnosis(
            verifier.is_valid(found, situation), verifier.style(found), translated, perseverated, recognised, kinds
        )

    def sketch(self, decision: RouteDecision) -> str:
        """The map of the route in characters, with where one stands."""
        return drawing.sketch(decision.problem, decision.number)

    def figure(self, problem: Route, marks: Mapping[int, str]) -> str:
        """The map of the route as SVG; `marks` says what was done wrong at which decision."""
        return drawing.figure(problem, marks)
