"""V-IRL navigation: follow instructions along a route through a city."""

from shiftgym.tasks.navigation.route import Route
from shiftgym.tasks.navigation.task import NavigationOptions, NavigationSetting, NavigationTask

__all__ = ["NavigationOptions", "NavigationSetting", "NavigationTask", "Route"]
