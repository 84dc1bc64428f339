"""Without the shared data a test is skipped on somebody's laptop, and fails in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"


@pytest.mark.parametrize(
    ("ci", "outcome", "exit_code"), [("", "1 skipped", 0), ("true", "1 error", 1)]
)
def test_missing_data(ci: str, outcome: str, exit_code: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_it.py").write_text("def test_it(shared_data):\n    pass\n", encoding="utf-8")
    environment = {**os.environ, "CI": ci, "ATLAS_HPE_SHARED": str(tmp_path / "gone")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=str(tmp_path),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert outcome in done.stdout
    assert "needs the shared data, and there is no folder" in done.stdout
