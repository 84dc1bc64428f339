"""Which of several installed packages programs run with."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest
from doctor_machines import write_cann

from atlas_hpe.cann.runtime import find_runtime


def versions_found(root: Path, **environ: str) -> str:
    found = find_runtime(environ, root)
    assert found is not None
    return f"{found.kind} {found.version}"


@pytest.fixture
def homes(tmp_path: Path) -> Dict[str, Path]:
    return {
        "toolkit": write_cann(tmp_path, "toolkit", "6.0.0"),
        "nnrt": write_cann(tmp_path, "nnrt", "5.0.4"),
    }


def test_nothing_installed_is_none(tmp_path: Path) -> None:
    assert find_runtime({"LD_LIBRARY_PATH": "/usr/lib:"}, tmp_path) is None


def test_without_an_environment_it_is_the_run_time(tmp_path: Path, homes: Dict[str, Path]) -> None:
    assert versions_found(tmp_path) == "nnrt 5.0.4"


def test_without_a_run_time_it_is_what_there_is(tmp_path: Path) -> None:
    write_cann(tmp_path, "toolkit", "6.0.0")
    assert versions_found(tmp_path) == "toolkit 6.0.0"


def test_the_environment_decides(tmp_path: Path, homes: Dict[str, Path]) -> None:
    lists = {name: f"/usr/lib:{home}/lib64" for name, home in homes.items()}
    assert versions_found(tmp_path, LD_LIBRARY_PATH=lists["toolkit"]) == "toolkit 6.0.0"
    assert versions_found(tmp_path, LD_LIBRARY_PATH=lists["nnrt"]) == "nnrt 5.0.4"


def test_the_first_entry_decides(tmp_path: Path, homes: Dict[str, Path]) -> None:
    first, second = (f"{homes[name]}/lib64" for name in ("toolkit", "nnrt"))
    assert versions_found(tmp_path, LD_LIBRARY_PATH=f"{first}:{second}") == "toolkit 6.0.0"
    assert versions_found(tmp_path, LD_LIBRARY_PATH=f"{second}:{first}") == "nnrt 5.0.4"


def test_a_link_to_a_package_counts_as_the_package(tmp_path: Path, homes: Dict[str, Path]) -> None:
    link = tmp_path / "cann"
    link.symlink_to(homes["toolkit"])
    assert versions_found(tmp_path, LD_LIBRARY_PATH=f"{link}/lib64") == "toolkit 6.0.0"


def test_a_link_to_itself_is_passed_over(tmp_path: Path, homes: Dict[str, Path]) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert versions_found(tmp_path, LD_LIBRARY_PATH=f"{loop}/lib64") == "nnrt 5.0.4"
