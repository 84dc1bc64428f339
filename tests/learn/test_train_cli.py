from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from learn_fakes import write_stick_set

from atlas_hpe.cli.train import command

QUICK = ["--epochs", "1", "--drawn", "0", "--batch-size", "4", "--threads", "1"]


def test_help_loads_neither_torch_nor_opencv() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from atlas_hpe.cli.train import command;"
        "result = CliRunner().invoke(command, ['hand-landmark', '--help']);"
        "sys.exit(result.exit_code or bool({'torch', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_train_leaves_weights_and_names_the_next_command(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_stick_set(data)
    words = ["hand-landmark", "--data", str(data), "--out", str(out), "--json", *QUICK]
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert Path(report["weights"]).is_file() and report["steps"] > 0
    assert "digits" in report["held_out_nme"]
    assert "next: atlas-hpe export" in result.stderr
