"""Installed CANN packages, in folders like the real ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Optional

import pytest

from atlas_hpe.cann import (
    driver_version,
    find_atc,
    find_installs,
)


def put(path: Path, text: str = "", *, program: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if program:
        path.chmod(0o755)
    return path


def toolkit(home: Path, version: str = "5.1.RC2.alpha001", *, atc: str = "atc/bin/atc") -> Path:
    """A toolkit, as the installer leaves it."""
    arch = home / "x86_64-linux"
    record = f"package_name=Ascend-cann-toolkit\nversion={version}\narch=x86_64\n"
    put(arch / "ascend_toolkit_install.info", record)
    put(home / atc, program=True)
    put(home.parent / "set_env.sh")
    (home / "runtime" / "lib64" / "stub").mkdir(parents=True)
    return home


def linked(latest: Path, version: Path) -> Path:
    """``latest``: a folder of links, as the toolkit's installer makes it."""
    latest.mkdir(parents=True)
    for entry in version.iterdir():
        (latest / entry.name).symlink_to(entry)
    return latest


@pytest.fixture
def ascend(tmp_path: Path) -> Path:
    folder = tmp_path / "usr" / "local" / "Ascend"
    folder.mkdir(parents=True)
    return folder


def test_a_machine_without_cann(tmp_path: Path) -> None:
    assert find_installs({}, tmp_path) == ()
    assert find_atc({"PATH": "/nowhere", "HOME": "/nowhere"}, tmp_path) is None
    assert driver_version(tmp_path) is None


def test_a_toolkit_in_the_usual_folder(tmp_path: Path, ascend: Path) -> None:
    home = toolkit(ascend / "ascend-toolkit" / "5.1.RC2.alpha001")
    (found,) = find_installs({}, tmp_path)
    assert (found.home, found.kind, found.version) == (home, "toolkit", "5.1.RC2.alpha001")
    assert found.set_env == ascend / "ascend-toolkit" / "set_env.sh"
    assert found.atc == home / "atc" / "bin" / "atc"
    assert found.stub_libraries == home / "runtime" / "lib64" / "stub"
    assert find_atc({}, tmp_path) == found


@pytest.mark.parametrize("as_link", [True, False])
def test_latest_is_not_listed_twice(tmp_path: Path, ascend: Path, as_link: bool) -> None:
    folder = ascend / "ascend-toolkit"
    toolkit(folder / "5.0.4", "5.0.4")
    home = toolkit(folder / "5.1.RC2", "5.1.RC2")
    if as_link:
        (folder / "latest").symlink_to(home)
        expected = home
    else:
        expected = linked(folder / "latest", home)
    found = find_installs({}, tmp_path)
    assert [(one.home, one.version) for one in found] == [
        (expected, "5.1.RC2"),
        (folder / "5.0.4", "5.0.4"),
    ]
    assert {one.set_env for one in found} == {folder / "set_env.sh"}


def test_versions_come_newest_first_and_other_folders_are_left_out(
    tmp_path: Path, ascend: Path
) -> None:
    for version in ("5.0.4", "5.1.RC2", "5.1.RC10", "5.1.0", "backup"):
        toolkit(ascend / "ascend-toolkit" / version, version)
    names = [found.home.name for found in find_installs({}, tmp_path)]
    assert names == ["5.1.0", "5.1.RC10", "5.1.RC2", "5.0.4"]


def test_the_compiler_on_the_path_comes_first(tmp_path: Path, ascend: Path) -> None:
    toolkit(ascend / "ascend-toolkit" / "6.0.0", "6.0.0")
    home = toolkit(ascend / "ascend-toolkit" / "5.0.4", "5.0.4")
    named = toolkit(tmp_path / "elsewhere" / "7.0.0", "7.0.0")
    environ = {
        "PATH": os.pathsep.join(["", str(tmp_path / "none"), str(home / "atc" / "bin")]),
        "ASCEND_TOOLKIT_HOME": str(named),
        "ASCEND_HOME_PATH": str(named),
    }
    versions = [found.version for found in find_installs(environ, tmp_path)]
    assert versions == ["5.0.4", "7.0.0", "6.0.0"]
    found = find_atc(environ, tmp_path)
    assert found is not None
    assert (found.home, found.atc) == (home, home / "atc" / "bin" / "atc")


@pytest.mark.parametrize("variable", ["ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"])
def test_each_variable_names_a_home(tmp_path: Path, variable: str) -> None:
    home = toolkit(tmp_path / "any" / "place")
    (found,) = find_installs({variable: str(home)}, tmp_path)
    assert found.home == home
    assert found.set_env is None
    assert find_installs({variable: str(tmp_path / "none")}, tmp_path) == ()


@pytest.mark.parametrize(
    "place", ["atc/bin/atc", "compiler/bin/atc", "bin/atc", "x86_64-linux/bin/atc"]
)
def test_the_home_of_a_compiler_on_the_path(tmp_path: Path, place: str) -> None:
    home = toolkit(tmp_path / "toolkit", atc=place)
    found = find_atc({"PATH": str((home / place).parent)}, tmp_path)
    assert found is not None
    assert (found.home, found.atc, found.version) == (home, home / place, "5.1.RC2.alpha001")
    if "linux" not in place:
        (again,) = find_installs({"ASCEND_HOME_PATH": str(home)}, tmp_path)
        assert again.atc == home / place


@pytest.mark.parametrize("place", ["bin/atc", "x86_64-linux/atc/bin/atc"])
def test_a_compiler_that_is_linked_onto_the_path(tmp_path: Path, place: str) -> None:
    home = toolkit(tmp_path / "toolkit", atc=place)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "atc").symlink_to(home / place)
    (found,) = find_installs(
        {"PATH": str(tmp_path / "bin"), "ASCEND_HOME_PATH": str(home)}, tmp_path
    )
    assert (found.home, found.atc) == (home, tmp_path / "bin" / "atc")


def test_the_home_that_is_on_the_path_counts_not_where_its_compiler_is_linked_from(
    tmp_path: Path,
) -> None:
    home = toolkit(tmp_path / "toolkit")
    atc = home / "bin" / "atc"
    atc.parent.mkdir()
    atc.symlink_to(put(tmp_path / "elsewhere" / "bin" / "atc", program=True))
    found = find_atc({"PATH": str(atc.parent)}, tmp_path)
    assert found is not None
    assert found.home == home


def test_a_relative_entry_of_the_path_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "atc", program=True)
    put(tmp_path / "bin" / "atc", program=True)
    monkeypatch.chdir(tmp_path)
    for path in ("", os.pathsep, ".", "bin"):
        assert find_installs({"PATH": path}, tmp_path) == ()


@pytest.mark.parametrize(
    "place",
    ["somewhere/bin/atc", "somewhere/atc", "somewhere/atc/bin/atc", "somewhere/compiler/bin/atc"],
)
def test_a_compiler_without_any_record(tmp_path: Path, place: str) -> None:
    atc = put(tmp_path / place, program=True)
    found = find_atc({"PATH": str(atc.parent)}, tmp_path)
    assert found is not None
    assert (found.atc, found.kind, found.version) == (atc, "toolkit", None)
    assert found.home == tmp_path / "somewhere"
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "atc").symlink_to(atc)
    linked_one = find_atc({"PATH": str(tmp_path / "links")}, tmp_path)
    assert linked_one is not None
    assert linked_one.home == tmp_path / "somewhere"


def test_a_file_that_is_no_program_is_no_compiler(tmp_path: Path) -> None:
    put(tmp_path / "bin" / "atc")
    (tmp_path / "other" / "atc").mkdir(parents=True)
    path = os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "other")])
    assert find_installs({"PATH": path}, tmp_path) == ()


@pytest.mark.parametrize("kind", ["nnrt", "nnae"])
@pytest.mark.parametrize("inner", ["", "aarch64-linux"])
def test_the_run_time_on_a_board(tmp_path: Path, ascend: Path, kind: str, inner: str) -> None:
    home = ascend / kind / "6.0.0.alpha003"
    put(home / inner / f"ascend_{kind}_install.info", "version=6.0.0.alpha003\n")
    script = put(ascend / kind / "set_env.sh")
    (ascend / kind / "latest").symlink_to(home)
    (found,) = find_installs({}, tmp_path)
    assert (found.home, found.kind, found.version) == (home, kind, "6.0.0.alpha003")
    assert (found.set_env, found.atc, found.stub_libraries) == (script, None, None)
    assert find_atc({}, tmp_path) is None


def test_a_run_time_without_a_record_is_known_by_its_folder(tmp_path: Path, ascend: Path) -> None:
    put(ascend / "nnrt" / "latest" / "set_env.sh")
    (ascend / "nnae" / "latest").mkdir(parents=True)  # what an uninstaller may leave
    (found,) = find_installs({}, tmp_path)
    assert (found.kind, found.version) == ("nnrt", None)


def test_a_folder_with_a_script_alone_is_no_package(tmp_path: Path) -> None:
    put(tmp_path / "any" / "set_env.sh")
    assert find_installs({"ASCEND_HOME_PATH": str(tmp_path / "any")}, tmp_path) == ()


def test_a_record_in_a_folder_of_another_name_is_not_read(tmp_path: Path) -> None:
    home = toolkit(tmp_path / "toolkit", "5.0.4")
    (home / "x86_64-linux").rename(home / "saved")
    (found,) = find_installs({"ASCEND_HOME_PATH": str(home)}, tmp_path)
    assert (found.kind, found.version) == ("toolkit", None)


def test_the_newer_folder_and_the_one_of_a_user(tmp_path: Path, ascend: Path) -> None:
    real = toolkit(ascend / "cann-8.5.0", "8.5.0")
    (ascend / "cann").symlink_to(real)
    put(real / "set_env.sh")
    user = toolkit(tmp_path / "home" / "Ascend" / "ascend-toolkit" / "7.0.0", "7.0.0")
    found = find_installs({"HOME": str(tmp_path / "home")}, tmp_path)
    assert [(one.home, one.version) for one in found] == [(real, "8.5.0"), (user, "7.0.0")]
    assert found[0].set_env == real / "set_env.sh"


@pytest.mark.parametrize(
    "place", ["acllib/lib64/stub", "devlib", "x86_64-linux/devlib", "aarch64-linux/devlib"]
)
def test_stub_libraries_of_older_releases(tmp_path: Path, place: str) -> None:
    home = toolkit(tmp_path / "toolkit")
    environ = {"ASCEND_HOME_PATH": str(home)}
    (home / place).mkdir(parents=True)
    (found,) = find_installs(environ, tmp_path)
    assert found.stub_libraries == home / "runtime" / "lib64" / "stub"
    (home / "runtime" / "lib64" / "stub").rmdir()
    (found,) = find_installs(environ, tmp_path)
    assert found.stub_libraries == home / place


def test_the_record_of_this_machine_counts_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = toolkit(tmp_path / "toolkit", "5.0.4")
    put(home / "aarch64-linux" / "ascend_toolkit_install.info", "version=6.0.0\n")
    for machine, version in (("x86_64", "5.0.4"), ("aarch64", "6.0.0")):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        (found,) = find_installs({"ASCEND_HOME_PATH": str(home)}, tmp_path)
        assert found.version == version


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("Version=1.0.13.alpha", "1.0.13.alpha"),
        ("Version = 21.0.3.1 ", "21.0.3.1"),
        ("package=x\r\nVersion=23.0.rc1\r\n", "23.0.rc1"),
        ("Version=", None),
        ("Version=unknown", None),
        ("Version=1.0 or so", None),
        ("Version=1" + "0" * 100, None),
        ("no version here", None),
        ("innerversion=1.0", None),
    ],
)
def test_the_version_of_the_driver(
    tmp_path: Path, ascend: Path, line: str, version: Optional[str]
) -> None:
    put(ascend / "driver" / "version.info", line)
    assert driver_version(tmp_path) == version


def _binary(path: Path) -> None:
    path.write_bytes(os.urandom(4096).replace(b"=", b"") + b"\0\xff")


def _huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 30)  # sparse
    with path.open("r+b") as stream:
        stream.seek(1 << 29)
        stream.write(b"\nVersion=1.0\n")


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("spoil", [_binary, _huge, _folder, _pipe, _loop])
def test_a_file_that_can_not_be_read_is_a_version_that_is_not_known(
    tmp_path: Path, ascend: Path, spoil: Callable[[Path], None]
) -> None:
    (ascend / "driver").mkdir()
    spoil(ascend / "driver" / "version.info")
    assert driver_version(tmp_path) is None
    home = toolkit(ascend / "ascend-toolkit" / "5.0.4")
    record = home / "x86_64-linux" / "ascend_toolkit_install.info"
    record.unlink()
    spoil(record)
    (found,) = find_installs({}, tmp_path)
    assert (found.kind, found.version) == ("toolkit", None)


@pytest.mark.parametrize("refusal", [PermissionError(13, "no"), OSError(5, "failing disk")])
def test_a_disk_that_refuses_is_an_empty_one(
    tmp_path: Path, ascend: Path, monkeypatch: pytest.MonkeyPatch, refusal: OSError
) -> None:
    toolkit(ascend / "ascend-toolkit" / "5.0.4")
    put(ascend / "driver" / "version.info", "Version=1.0\n")

    def refuse(*_: object, **__: object) -> None:
        raise refusal

    for name in ("stat", "open", "iterdir", "is_file", "is_dir", "resolve"):
        monkeypatch.setattr(Path, name, refuse)
    environ = {"PATH": "/bin", "HOME": "/root", "ASCEND_HOME_PATH": "/opt"}
    assert find_installs(environ, tmp_path) == ()
    assert driver_version(tmp_path) is None


def test_a_place_that_is_a_link_to_itself(tmp_path: Path, ascend: Path) -> None:
    for name in ("ascend-toolkit", "cann", "nnrt"):
        (ascend / name).symlink_to(ascend / name)
    assert find_installs({"PATH": str(ascend / "cann")}, tmp_path) == ()
