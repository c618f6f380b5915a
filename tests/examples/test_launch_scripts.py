"""What the launch scripts of verl, OpenRLHF and SkyRL ask of shiftgym, with the trainer itself left out."""

import json
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import run

SCRIPTS = Path(__file__).parents[2] / "examples" / "integrations"
RECORD = """#!/bin/sh
for argument; do printf '%s\\0' "$argument"; done >> "$RECORDED"
printf '\\n' >> "$RECORDED"
"""


@pytest.mark.parametrize(("peer", "files"), [("verl", 3), ("openrlhf", 2), ("skyrl", 3)])
def test_it_writes_the_data_trains_and_judges(peer, files, tmp_path):
    for name in ("shiftgym", "python"):
        (tmp_path / name).write_text(RECORD)
        (tmp_path / name).chmod(0o755)
    named = {"RECORDED": str(tmp_path / "recorded"), "MODEL": "owner/model", "OUT": str(tmp_path / "out")}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", SCRIPTS / peer / "train.sh"], env={**os.environ, "PATH": path, **named}, check=True)
    *data, trained, judged = [line.split("\0")[:-1] for line in (tmp_path / "recorded").read_text().splitlines()]

    assert len(data) == files
    for kind, file, *options in [call[1:] for call in data]:
        assert run("data", kind, file, *options[:-1], "2") == 0
        assert pq.read_table(file).num_rows == 2
        assert any(file in argument for argument in trained), "the trainer reads it"
    checkpoints = str(tmp_path / "out" / "checkpoints")
    assert any(checkpoints in argument for argument in trained), "the trainer writes them"
    assert judged[:3] == ["compare", "owner/model", checkpoints]
    assert judged[3:] == ["--label", "before", "--label", "GRPO", "--study", "points-text"]
    assert json.dumps(trained).count("owner/model") == 1
