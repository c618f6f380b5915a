"""Options that several commands share."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Overrides = Annotated[
    list[str] | None,
    Parameter(name="--set", help="Change a value of the study: key.path=value. May be given many times."),
]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Index = Annotated[int, Parameter(validator=Number(gte=0))]
