"""What atc finds on a machine: memory, and the environment of its toolkit."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_hpe.cann import CannInstall, atc_environment, available_kb, check_memory
from atlas_hpe.errors import DeviceError


def write_memory(root: Path, available_kb: int, **groups: str) -> Path:
    (root / "proc").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {available_kb} kB\n")
    for name, text in groups.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_memory_is_the_machines_or_the_containers_whichever_is_less(tmp_path: Path) -> None:
    assert available_kb(write_memory(tmp_path / "a", 5_000))[0] == 5_000
    groups = {"memory-max": "4096000\n", "memory-current": "2048000\n"}
    root = write_memory(tmp_path / "b", 5_000, **groups)
    assert available_kb(root) == (2_000, "memory limit of this container (cgroup)")
    (root / "sys/fs/cgroup/memory.stat").write_text("anon 1\ninactive_file 1024000\n")
    assert available_kb(root)[0] == 3_000
    (root / "sys/fs/cgroup/memory.max").write_text("1024\n")
    assert available_kb(root)[0] == 0
    (root / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert available_kb(root)[0] == 5_000
    older = {
        "memory__memory-limit_in_bytes": "1024000",
        "memory__memory-usage_in_bytes": "0",
    }
    assert available_kb(write_memory(tmp_path / "c", 5_000, **older))[0] == 1_000
    assert available_kb(tmp_path / "nothing")[0] is None


def test_too_little_memory_is_said_before_atc_says_it(tmp_path: Path) -> None:
    check_memory(write_memory(tmp_path / "enough", 2_097_152))
    check_memory(tmp_path / "unknown")
    with pytest.raises(DeviceError, match="free memory") as caught:
        check_memory(write_memory(tmp_path / "little", 2_097_151))
    assert "2 GB" in str(caught.value.why)


def make_toolkit(root: Path) -> CannInstall:
    home = root / "kit"
    for name in ("bin", "lib64", "opp", "python/site-packages", "runtime/lib64/stub"):
        (home / name).mkdir(parents=True)
    stubs = home / "runtime/lib64/stub"
    return CannInstall(home, "toolkit", "5.1", None, home / "bin/atc", stubs)


def test_without_set_env_the_environment_comes_from_the_toolkit(tmp_path: Path) -> None:
    install = make_toolkit(tmp_path)
    home = install.home
    environ = atc_environment(
        install,
        {"PATH": "/bin", "LD_LIBRARY_PATH": "/nnrt/lib64", "ASCEND_OPP_PATH": "/nnrt/opp"},
        tmp_path,
    )
    assert environ["PATH"] == f"{home}/bin:/bin"
    assert environ["PYTHONPATH"] == f"{home}/python/site-packages"
    assert environ["ASCEND_OPP_PATH"] == f"{home}/opp"
    assert environ["ASCEND_TOOLKIT_HOME"] == str(home)
    stubs = install.stub_libraries
    assert environ["LD_LIBRARY_PATH"] == f"{home}/lib64:{home}/runtime/lib64:/nnrt/lib64:{stubs}"


def test_an_environment_that_was_sourced_stays_as_it_is(tmp_path: Path) -> None:
    install = make_toolkit(tmp_path)
    (tmp_path / "usr/local/Ascend/driver/lib64").mkdir(parents=True)
    sourced = {"PATH": "/bin", "ASCEND_OPP_PATH": f"{install.home}/opp", "LD_LIBRARY_PATH": "/x"}
    environ = atc_environment(install, sourced, tmp_path)
    assert environ["PATH"] == "/bin"
    assert environ["LD_LIBRARY_PATH"] == f"/x:{tmp_path}/usr/local/Ascend/driver/lib64"
    assert environ["ASCEND_SLOG_PRINT_TO_STDOUT"] == "1"
