"""Rows of `results.jsonl` as columns, and as arrays for paired statistics.

rows = read_rows([path])              pyarrow table, one line a problem
Cube.of(rows)                         the same rows as a dense array, ready to be paired and resampled
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from numpy.typing import NDArray

from shiftgym.errors import DataError
from shiftgym.evaluation.measures import MEASURES

KEYS = ("branch", "seed", "step", "fraction", "split", "decoding")
"""What names one evaluation of one checkpoint."""

SCHEMA = pa.schema(
    [
        ("branch", pa.string()),
        ("seed", pa.int64()),
        ("step", pa.int64()),
        ("fraction", pa.float64()),
        ("flops", pa.float64()),
        ("flops_paper", pa.float64()),
        ("split", pa.string()),
        ("decoding", pa.string()),
        ("problem", pa.int64()),
        *((name, pa.float64()) for name in MEASURES),
        (
            "decisions",
            pa.list_(
                pa.struct(
                    [
                        ("outcomes", pa.list_(pa.string())),
                        ("right", pa.int64()),
                        ("style", pa.string()),
                        ("kinds", pa.list_(pa.string())),
                    ]
                )
            ),
        ),
    ]
)
"""Columns of `results.jsonl`. Those of `nullable` measures may hold null; such rows are left out of its means."""


def read_rows(paths: Sequence[Path]) -> pa.Table:
    """The rows of some results files as one table.

    Raises:
        DataError: a file cannot be read, a line is no row, or a field is missing.
    """
    options = pa.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    tables = []
    for path in paths:
        try:
            # Opened here, since its name need not be UTF-8.
            with path.open("rb") as file:
                table = pa.json.read_json(file, parse_options=options)
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{path}: not a results file ({reason}); expected one JSON object a line") from error
        for name in SCHEMA.names:
            required = name not in MEASURES or not MEASURES[name].nullable
            if required and table[name].null_count:
                raise DataError(f"{path}: {table[name].null_count} of {len(table)} rows have no {name!r}")
        tables.append(table)
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


Axis = dict[Any, int]
CUBE_AXES = {
    "branches": "branch",
    "fractions": "fraction",
    "splits": "split",
    "decodings": "decoding",
    "seeds": "seed",
    "problems": "problem",
}
"""Axis of a `Cube`, in order -> column of the rows."""


@dataclass(frozen=True, slots=True)
class Cube:
    """All rows as dense arrays. All branches share the axes of seeds and problems, so pairs are aligned.

    NaN stands for a row that does not exist (a branch without that checkpoint, work not done yet) and for a measure
    that does not apply to an answer.
    """

    branches: Axis
    fractions: Axis
    splits: Axis
    decodings: Axis
    seeds: Axis
    problems: Axis
    values: dict[str, NDArray[np.float32]]
    """Name of a measure -> (branches, fractions, splits, decodings, seeds, problems)."""
    compute: dict[str, NDArray[np.float64]]
    """`step`, `flops` and `flops_paper` -> (branches, fractions, seeds)."""
    dealt: NDArray[np.bool_]
    """(splits, decodings, problems): whether any checkpoint answered a problem."""

    @classmethod
    def of(cls, rows: pa.Table) -> "Cube":
        """Where several steps stand for the same fraction (the shared start has no budget), the last step counts."""
        rows = rows.sort_by([("step", "ascending")])
        axes: dict[str, Any] = {}
        codes = []
        for axis, name in CUBE_AXES.items():
            labels, code = np.unique(_column(rows, name), return_inverse=True)
            axes[axis] = {label: index for index, label in enumerate(labels.tolist())}
            codes.append(code)
        shape = tuple(len(axis) for axis in axes.values())
        # On repeated positions the last assignment wins, which sorting by step made the latest step.
        position = np.ravel_multi_index(codes, shape) if len(rows) else np.zeros(0, int)
        values = {}
        for name in MEASURES:
            filled = np.full(shape, np.nan, np.float32)
            column = pc.cast(rows[name], pa.float32())
            filled.reshape(-1)[position] = np.asarray(pc.fill_null(column, float("nan")))
            values[name] = filled
        compute = {}
        for name in ("step", "flops", "flops_paper"):
            spent = np.full((shape[0], shape[1], shape[4]), np.nan)
            spent[codes[0], codes[1], codes[4]] = _column(rows, name)
            compute[name] = spent
        dealt: NDArray[np.bool_] = np.asarray(~np.isnan(values["success"]).all(axis=(0, 1, 4)))
        return cls(**axes, values=values, compute=compute, dealt=dealt)

    def checkpoints(self, branch: str) -> list[float]:
        """The fractions at which a branch has any row, ascending."""
        if branch not in self.branches:
            return []
        present = ~np.isnan(self.compute["flops"][self.branches[branch]]).all(axis=-1)
        return [fraction for fraction, index in self.fractions.items() if present[index]]

    def answers(self, measure: str, branch: str, fraction: float, split: str, decoding: str) -> NDArray[np.float32]:
        """One measure of one checkpoint: (seeds, problems of that split); NaN for a seed that is not done."""
        at = (self.branches[branch], self.fractions[fraction], self.splits[split], self.decodings[decoding])
        found: NDArray[np.float32] = self.values[measure][at]
        return found[:, self.dealt[at[2:]]]


def _column(rows: pa.Table, name: str) -> NDArray[Any]:
    """One column, (rows,)."""
    return np.asarray(rows[name].to_numpy())
