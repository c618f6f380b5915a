"""The shipped recipes, one file each. A new file here is a new recipe: `training/registry.py` finds it by its name."""
