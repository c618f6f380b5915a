"""Generators of the package reasoning-gym as a task."""
