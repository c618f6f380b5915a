"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from cyclopts.validators import Path as PathValidator

Overrides = Annotated[
    list[str] | None,
    Parameter(name="--set", help="Change a value of the study: key.path=value. May be given many times."),
]
Device = Annotated[
    str | None,
    Parameter(
        help="Where models run: auto (a GPU if there is one), cpu, cuda, or cuda:N. By default what the study says, "
        "or auto."
    ),
]
Dtype = Annotated[
    str | None,
    Parameter(
        help="Number format of the weights: float32, bfloat16 or float16. By default what the study says, or float32."
    ),
]
Attention = Annotated[
    str | None,
    Parameter(
        help="Attention kernel: auto, eager, sdpa, flash_attention_2 or flash_attention_3. By default what the study "
        "says, or auto."
    ),
]
GradientCheckpointing = Annotated[
    bool | None,
    Parameter(
        help="Run each layer again in the backward pass instead of keeping what it computed: slower, less memory."
    ),
]
ChatTemplate = Annotated[
    Path | None,
    Parameter(
        validator=PathValidator(exists=True, dir_okay=False),
        help="A file with a Jinja template that replaces the chat template of the model, or that a base model lacks.",
    ),
]
Engine = Annotated[
    Literal["local", "ray"] | None,
    Parameter(
        help="Where branches run: local (this machine) or ray (a Ray cluster). By default what the study says, or "
        "local."
    ),
]
Address = Annotated[
    str | None,
    Parameter(
        help="Of the Ray cluster: HOST:PORT, or auto. By default what RAY_ADDRESS says, else a cluster that this "
        "machine belongs to, else Ray on this machine alone."
    ),
]
Trackers = Annotated[
    list[str] | None,
    Parameter(
        name="--track",
        help="Tell a tracker of it while it goes (of a comparison at its end): tensorboard, wandb, mlflow, trackio, or "
        "a class of your own as package.module:Class. May be given many times.",
    ),
]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Index = Annotated[int, Parameter(validator=Number(gte=0))]
Memory = Annotated[float | None, Parameter(validator=Number(gt=0))]
