"""Errors that a user can cause and mend. The command line prints them as one line and exits with 2.

    ShiftgymError
    ├── ConfigError        a study file, option or setting that cannot be carried out
    ├── DataError          an input file that cannot be read as what it should be
    └── TrainingStopped    training or generation that would only produce garbage from here on (NaN)

`PeerLost` is neither a user's error nor a bug: another process of the same branch is gone, and the branch is started
again. Anything else that is raised is a bug and keeps its traceback.
"""


class ShiftgymError(Exception):
    """Something a user can mend; the message says what was wrong, where, and what would be right."""


class ConfigError(ShiftgymError):
    """A study file, command-line option or task setting is not one that can be carried out."""


class DataError(ShiftgymError):
    """An input file is missing or is not what it should be."""


class TrainingStopped(ShiftgymError):
    """A loss, gradient, weight or logit is no longer finite, so training or generation was stopped."""


class PeerLost(Exception):
    """Another rank of this branch is gone, so this one cannot go on. What is lost can be done again from the last
    checkpoint."""
