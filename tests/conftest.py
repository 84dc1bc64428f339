"""What all tests share: real data from beside the repository, and settings for property tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPO = Path(__file__).resolve().parent.parent

# Before anything loads torch: a test run never takes more than two cores by default.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# OpenCV reads it once, at the first video of the process, and a test may be the one to open that.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# Shared machines are slow at times, so no example has a deadline; CI repeats the same examples.
settings.register_profile(
    "atlas",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("atlas")


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the repository."""
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository (or named by ATLAS_HPE_SHARED).

    Outside CI a machine may do without it; in CI its absence is a failure.
    """
    shared = Path(os.environ.get("ATLAS_HPE_SHARED") or REPO.parent / "shared")
    data = shared / "data"
    if not data.is_dir():
        reason = f"needs the shared data, and there is no folder {data}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return data
