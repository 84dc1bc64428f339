"""The scripts of docker/ run here, with stand-ins for CANN's installer, its environment and atc."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict, Optional

import pytest

DOCKER = Path(__file__).resolve().parent.parent / "docker"
INSTALLER = """#!/bin/sh
echo "$*" >> "$CALLS"
case $* in
    --check) exit "${CHECK:-0}" ;;
esac
[ -f "$CANN_BASE/driver/version.info" ] && echo "saw a driver" >> "$CALLS"
[ -f "$CANN_ETC/ascend_install.info" ] && echo "saw its record" >> "$CALLS"
mkdir -p "$CANN_BASE/ascend-toolkit" && echo x > "$CANN_BASE/ascend-toolkit/set_env.sh"
chmod 700 "$CANN_BASE/ascend-toolkit" && chmod 600 "$CANN_BASE/ascend-toolkit/set_env.sh"
exit "${INSTALL:-0}"
"""
SET_ENV = """
[ -z "$1" ] || echo "set_env.sh took the argument $1"
export LD_LIBRARY_PATH=/toolkit/lib64:$LD_LIBRARY_PATH PATH={folder}/bin:$PATH
unset_variable=$IS_NOT_SET_AT_ALL
[ -d /is/not/there ] && export NEVER=1
"""
ATC = """#!/bin/sh
echo "atc $*"
echo "libraries $LD_LIBRARY_PATH"
echo "name $(cat "${NSS_WRAPPER_PASSWD:-/dev/null}" | tail -n 1)"
echo "user $USER preload $LD_PRELOAD"
mkdir -p "$HOME/ascend/log" && echo "home is writable"
exit 7
"""


class Build:
    """A folder in which install-cann.sh runs as in the build of an image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "Ascend"
        self.etc = folder / "etc"
        self.packages = folder / "packages"
        self.packages.mkdir()
        self.package = self.packages / f"Ascend-cann-toolkit_6.0_linux-{platform.machine()}.run"
        self.package.write_text(INSTALLER)

    def install(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        words = [str(DOCKER / "install-cann.sh"), str(self.package), *(arguments or ("",))]
        variables = {
            "CANN_BASE": str(self.base),
            "CANN_ETC": str(self.etc),
            "CALLS": str(self.folder / "calls"),
        }
        return run(words, {**variables, **environ})

    def calls(self) -> str:
        return (self.folder / "calls").read_text()


def run(
    words: list[str], environ: Dict[str, str], cwd: Optional[Path] = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env={**os.environ, **environ}, cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_a_package_is_checked_and_installed_with_its_flags(build: Build) -> None:
    done = build.install("", "--chip=Ascend310", "--blacklist=devtools")
    assert done.returncode == 0, done.stderr
    check, install = build.calls().splitlines()
    assert check == "--check"
    assert install == (
        f"--install --quiet --install-for-all --install-path={build.base}"
        " --chip=Ascend310 --blacklist=devtools"
    )


def test_what_was_installed_can_be_read_by_anyone(build: Build) -> None:
    build.install()
    installed = build.base / "ascend-toolkit"
    assert installed.stat().st_mode & 0o005 == 0o005
    assert (installed / "set_env.sh").stat().st_mode & 0o004
    assert (build.etc / "Ascend").is_dir()  # a later COPY takes it


def test_the_record_of_a_driver_is_lent_for_the_installation_only(build: Build) -> None:
    (build.packages / "version.info").write_text("Version=1.0.13.alpha\n")
    (build.packages / "ascend_install.info").write_text("Driver_Install_Path_Param=x\n")
    assert build.install().returncode == 0
    assert build.calls().splitlines()[2:] == ["saw a driver", "saw its record"]
    assert not (build.base / "driver").exists()
    assert not (build.etc / "ascend_install.info").exists()


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (("0" * 64,), {}, "does not have the SHA-256"),
        (("",), {"CHECK": "1"}, "is damaged"),
        (("",), {"INSTALL": "1"}, "failed"),
    ],
    ids=["checksum", "damaged", "installer"],
)
def test_a_bad_package_ends_the_build(
    build: Build, arguments: tuple[str, ...], environ: Dict[str, str], said: str
) -> None:
    done = build.install(*arguments, **environ)
    assert done.returncode == 4
    assert said in done.stderr
    assert "  fix: " in done.stderr


def test_a_package_with_its_checksum_is_taken(build: Build) -> None:
    digest = hashlib.sha256(build.package.read_bytes()).hexdigest()
    assert build.install(digest).returncode == 0


def test_a_missing_package_is_named_with_what_to_do(build: Build) -> None:
    build.package.unlink()
    done = build.install()
    assert done.returncode == 4
    assert f"{build.package.name} is not in docker/packages" in done.stderr
    assert "docker/README.md" in done.stderr


def test_a_package_for_another_processor_is_refused(build: Build) -> None:
    build.package = build.package.rename(build.packages / "Ascend-cann-nnrt_6.0_linux-vax.run")
    done = build.install()
    assert done.returncode == 4
    assert "is not for this machine" in done.stderr
    assert not (build.folder / "calls").exists()


@pytest.fixture
def image(tmp_path: Path) -> Dict[str, str]:
    """Variables of a container with the toolkit, and its folders in tmp_path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "atc").write_text(ATC)
    (programs / "atc").chmod(0o755)
    (tmp_path / "set_env.sh").write_text(SET_ENV.replace("{folder}", str(tmp_path)))
    (tmp_path / "home").mkdir()
    return {
        "CANN_SET_ENV": str(tmp_path / "set_env.sh"),
        "CANN_STUBS": "/toolkit/stub:/toolkit/devlib",
        "HOME": str(tmp_path / "home"),
        "LD_LIBRARY_PATH": "/driver",
        "TMPDIR": str(tmp_path),
    }


def enter(image: Dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return run([str(DOCKER / "cann-env.sh"), *words], image)


def test_atc_runs_in_the_environment_of_set_env(image: Dict[str, str], tmp_path: Path) -> None:
    done = enter(image, "atc", "--model=a b.onnx")
    assert done.returncode == 7
    assert done.stdout.splitlines()[:2] == [
        "atc --model=a b.onnx",
        # The stand-ins come last, so that a real library is found first.
        "libraries /toolkit/lib64:/driver:/toolkit/stub:/toolkit/devlib",
    ]
    assert (tmp_path / "home" / "ascend" / "log").is_dir()
    assert done.stderr == ""


def test_the_command_takes_the_place_of_the_entry_and_gets_its_signals(
    image: Dict[str, str],
) -> None:
    assert enter(image, "sh", "-c", "echo $PPID").stdout == f"{os.getpid()}\n"


def test_without_stubs_the_path_stays_as_set_env_made_it(image: Dict[str, str]) -> None:
    done = enter({**image, "CANN_STUBS": ""}, "atc")
    assert "libraries /toolkit/lib64:/driver\n" in done.stdout


def test_a_user_that_the_image_does_not_know_gets_a_home_and_a_name(
    image: Dict[str, str], tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    (programs / "getent").write_text("#!/bin/sh\nexit 2\n")
    (programs / "id").write_text('#!/bin/sh\n[ "$1" = -u ] && echo 54321 || echo 54322\n')
    for name in ("getent", "id"):
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    # The home of such a user is /, or a folder that is not there.
    done = enter({**image, "PATH": path, "HOME": str(tmp_path / "none")}, "atc")
    assert "home is writable" in done.stdout
    name, _, uid, gid, _, home, _ = done.stdout.splitlines()[2].split()[-1].split(":")
    assert (name, uid, gid) == ("convert", "54321", "54322")
    assert Path(home).is_dir()
    assert not (tmp_path / "none").exists()
    assert "user convert preload libnss_wrapper.so" in done.stdout


def test_an_image_without_cann_says_so(image: Dict[str, str], tmp_path: Path) -> None:
    done = enter({**image, "CANN_SET_ENV": str(tmp_path / "gone")}, "atc")
    assert done.returncode == 4
    assert "there is no CANN in this image" in done.stderr


def test_a_container_without_a_command_says_what_to_type(image: Dict[str, str]) -> None:
    done = enter(image)
    assert done.returncode == 2
    assert "atc --help" in done.stderr


def test_an_empty_wheelhouse_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = run([str(DOCKER / "install-wheels.sh"), str(tmp_path), str(tmp_path / "to")], {})
    assert done.returncode == 4
    assert "there are no wheels" in done.stderr
    assert not (tmp_path / "to").exists()


def install_wheels(folder: Path, pip: str) -> subprocess.CompletedProcess[str]:
    """Run install-wheels.sh with a stand-in for pip, which is a wheel that Python runs."""
    with zipfile.ZipFile(folder / "pip-0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pip/__main__.py", pip)
    words = [str(DOCKER / "install-wheels.sh"), str(folder), str(folder / "to")]
    return run(words, {"PYTHON": sys.executable})


def test_wheels_are_installed_without_an_index(tmp_path: Path) -> None:
    done = install_wheels(tmp_path, "import sys; print(sys.prefix, *sys.argv[1:])")
    assert done.returncode == 0, done.stderr
    prefix, *words = done.stdout.split()
    assert prefix == str(tmp_path / "to")
    assert words[0] == "install"
    assert words[-4:] == ["--no-index", "--find-links", str(tmp_path), "atlas-hpe[host]"]


def test_wheels_for_another_python_leave_nothing(tmp_path: Path) -> None:
    done = install_wheels(tmp_path, "raise SystemExit(1)")
    assert done.returncode == 4
    assert "are not for Python" in done.stderr
    assert not (tmp_path / "to").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine").touch()
    done = install_wheels(tmp_path, "raise SystemExit(1)")
    assert done.returncode == 2
    assert (tmp_path / "to" / "mine").exists()
