"""The files in docker/: what can be held without an engine that builds them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NoReturn

import pytest

from atlas_hpe.targets import find_release
from dockerfiles import (
    Dockerfile,
    copy_sources,
    exec_form,
    is_ignored,
    read_dockerfile,
    shell_lines,
)

REPO = Path(__file__).resolve().parent.parent
DOCKER = REPO / "docker"
NAMES = ("board", "laptop", "toolchain")
#: Folders of the build context that a user fills; their README is there.
USERS = ("packages/", "wheelhouse/")
A200 = {
    "/usr/local/Ascend/driver/lib64",
    "/usr/local/sbin/npu-smi",
    "/usr/local/Ascend/driver/tools",
    "/etc/hdcBasic.cfg",
    "/etc/sys_version.conf",
}
CARD = {
    "/usr/local/Ascend/driver/lib64",
    "/usr/local/Ascend/driver/include",
    "/usr/local/dcmi",
    "/usr/local/bin/npu-smi",
}
RC_DEVICES = {"/dev/davinci0", "/dev/davinci_manager"}
SERVICES = {
    "hands": (RC_DEVICES, A200),
    "doctor": (RC_DEVICES, A200),
    "hands-card": ({*RC_DEVICES, "/dev/devmm_svm", "/dev/hisi_hdc"}, CARD),
    "doctor-card": ({*RC_DEVICES, "/dev/devmm_svm", "/dev/hisi_hdc"}, CARD),
}


@pytest.fixture(params=NAMES)
def dockerfile(request: pytest.FixtureRequest) -> Dockerfile:
    return read_dockerfile(DOCKER / f"{request.param}.Dockerfile")


@pytest.fixture(scope="module")
def compose() -> Dict[str, Any]:
    try:
        import yaml
    except ImportError:
        refuse("needs PyYAML, which the extra dev brings")
    return yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))


def context_of(dockerfile: Dockerfile) -> Path:
    """Where it is built from: only the laptop's image takes the sources."""
    return REPO if dockerfile.path.stem == "laptop" else DOCKER


def find_tool(name: str) -> str:
    """A linter beside this Python or on the PATH; CI has to have it."""
    beside = Path(sys.executable).with_name(name)
    tool = str(beside) if beside.exists() else shutil.which(name)
    if tool is None:
        refuse(f"needs {name}, which the extra dev brings")
    return tool


def refuse(reason: str) -> NoReturn:
    """Skip a test on somebody's machine; in CI it fails, so that no check goes missing unseen."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def test_every_file_of_the_folder_is_known() -> None:
    assert {path.stem for path in DOCKER.glob("*.Dockerfile")} == set(NAMES)


def test_bases_are_pinned(dockerfile: Dockerfile) -> None:
    stages = {stage.name for stage in dockerfile.stages}
    bases = [stage.base for stage in dockerfile.stages if stage.base not in stages]
    assert bases
    for base in bases:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+[a-z0-9.-]*", base), base


def test_nothing_runs_as_root(dockerfile: Dockerfile) -> None:
    assert dockerfile.targets
    for stage in dockerfile.targets:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage.last("USER")), stage.name


def test_entries_need_no_shell(dockerfile: Dockerfile) -> None:
    for stage in dockerfile.targets:
        assert exec_form(stage.last("CMD"))
        if stage.last("ENTRYPOINT"):
            assert exec_form(stage.last("ENTRYPOINT"))


def test_nothing_is_fetched_past_the_package_managers(dockerfile: Dockerfile) -> None:
    for stage in dockerfile.stages:
        for item in stage.instructions:
            assert item.name != "ADD", item
            assert not re.search(r"https?://|\b(curl|wget|sudo)\b", item.rest), item


def test_what_is_copied_is_there_and_reaches_the_build(dockerfile: Dockerfile) -> None:
    context = context_of(dockerfile)
    ignore = dockerfile.path.with_name(dockerfile.path.name + ".dockerignore")
    if not ignore.exists():
        ignore = context / ".dockerignore"
    sources = [path for stage in dockerfile.stages for path in copy_sources(dockerfile, stage)]
    assert sources
    for source in sources:
        folder = source.startswith(USERS)
        assert (context / (source.split("/")[0] if folder else source)).exists(), source
        if source != ".":
            assert not is_ignored(source, ignore), source


def test_sources_reach_the_laptop_image_and_nothing_else_does() -> None:
    ignore = DOCKER / "laptop.Dockerfile.dockerignore"
    for wanted in ("atlas_hpe/models/hand_landmark.onnx", "pyproject.toml", "README.md"):
        assert not is_ignored(wanted, ignore), wanted
    for unwanted in (".git/config", ".venv-dev/x", "tests/clips.py", "export/__pycache__/a.pyc"):
        assert is_ignored(unwanted, ignore), unwanted
    build = re.search(r"packages = \[(.*?)\]", (REPO / "pyproject.toml").read_text(), re.DOTALL)
    assert build
    for folder in re.findall(r'"(.+?)"', build.group(1)):
        assert not is_ignored(folder, ignore), folder


def test_arguments_are_used(dockerfile: Dockerfile) -> None:
    text = dockerfile.path.read_text(encoding="utf-8")
    read_by_pip = {"PIP_EXTRA_INDEX_URL"}
    for name in set(dockerfile.arguments) - read_by_pip:
        assert "${" + name + "}" in text, name
    for stage in dockerfile.stages:
        seen = {"BASE"}
        for item in stage.instructions:
            if item.name == "ARG":
                seen.add(item.rest.partition("=")[0])
            elif item.name != "ENV":
                used = set(re.findall(r"\$\{(\w+)\}", item.rest))
                assert used <= seen, f"line {item.line}: {used - seen} is no argument of its stage"


def test_shell_parts_parse(dockerfile: Dockerfile) -> None:
    for stage in dockerfile.stages:
        for item in shell_lines(stage):
            done = subprocess.run(["sh", "-n", "-c", item.rest], capture_output=True, text=True)
            assert done.returncode == 0, f"line {item.line}: {done.stderr}"


def test_hadolint_has_nothing_to_say(dockerfile: Dockerfile) -> None:
    command = [find_tool("hadolint"), "--no-color", "--config", str(DOCKER / ".hadolint.yaml")]
    done = subprocess.run([*command, str(dockerfile.path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_shellcheck_has_nothing_to_say() -> None:
    scripts = sorted(str(path) for path in DOCKER.glob("*.sh"))
    done = subprocess.run(
        [find_tool("shellcheck"), "--norc", *scripts], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_scripts_can_be_started() -> None:
    for path in DOCKER.glob("*.sh"):
        assert os.access(path, os.X_OK), path.name


def test_services_have_exactly_the_devices_and_mounts_of_the_driver(
    compose: Dict[str, Any],
) -> None:
    assert set(compose["services"]) == set(SERVICES)
    for name, (devices, mounts) in SERVICES.items():
        service = compose["services"][name]
        assert set(service["devices"]) == devices, name
        work, *driver = service["volumes"]
        assert work == "${FOLDER:-.}:/work", name
        assert sorted(driver) == sorted(f"{path}:{path}:ro" for path in mounts), name


def test_services_are_no_more_privileged_than_they_must_be(compose: Dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["user"] == "1000:1000", name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service), name


def test_services_start_what_the_image_has(compose: Dict[str, Any]) -> None:
    (board,) = read_dockerfile(DOCKER / "board.Dockerfile").targets
    assert compose["services"]["hands"]["entrypoint"] == ["cann-env", "atlas-hpe", "run"]
    for service in compose["services"].values():
        assert service["entrypoint"][:1] == exec_form(board.last("ENTRYPOINT"))
        assert service["working_dir"] == board.last("WORKDIR")
        assert service["user"] == board.last("USER")


def test_only_hands_starts_without_a_profile(compose: Dict[str, Any]) -> None:
    services = compose["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["hands"]


def arguments() -> Dict[str, Dict[str, str]]:
    return {name: read_dockerfile(DOCKER / f"{name}.Dockerfile").arguments for name in NAMES}


def test_compiler_and_board_are_of_the_same_release_which_the_board_takes() -> None:
    found = arguments()
    version = found["toolchain"]["CANN_VERSION"]
    assert found["board"]["CANN_VERSION"] == version
    release = find_release(version)
    assert release is not None
    assert release.drivers, "the newest release with a driver for the Atlas 200 DK is due"


def test_the_readme_names_the_files_that_the_images_take() -> None:
    text = (DOCKER / "README.md").read_text(encoding="utf-8")
    found = arguments()
    for name in (found["toolchain"]["CANN_TOOLKIT_RUN"], found["board"]["CANN_NNRT_RUN"]):
        assert name in text
    for name in NAMES:
        assert f"docker/{name}.Dockerfile" in text
        for argument in arguments()[name]:
            assert argument in text, argument


def test_the_wheelhouse_holds_what_only_python_3_7_needs(tmp_path: Path) -> None:
    project = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    only_37 = re.findall(r"\"([a-z-]+)[^\"]*; python_version < '3.8'\"", project)
    assert only_37 == ["importlib-metadata"]
    for version, more in (("3.7", only_37), ("3.8", [])):
        call = download_calls(tmp_path / version, version)[-1]
        assert call[call.index("pip", 3) :] == ["pip", f"{WHEEL}[host]", *more]
        assert call[call.index("--python-version") + 1] == version


WHEEL = "atlas_hpe-0-py3-none-any.whl"


def download_calls(folder: Path, version: str) -> List[List[str]]:
    """The calls of Python that fill-wheelhouse.sh makes; paths as bare names."""
    folder.mkdir()
    (folder / "old-1-py3-none-any.whl").touch()
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\necho "$*" >> {folder}/calls\n[ "$3" != wheel ] || touch {folder}/{WHEEL}\n'
    )
    python.chmod(0o755)
    script = str(DOCKER / "fill-wheelhouse.sh")
    environment = {**os.environ, "PYTHON": str(python)}
    subprocess.run([script, version, str(folder)], env=environment, check=True, capture_output=True)
    assert not (folder / "old-1-py3-none-any.whl").exists(), "a wheel of another version is left"
    lines = (folder / "calls").read_text().splitlines()
    return [[word.split("/")[-1] for word in line.split()] for line in lines]


def test_a_wheelhouse_for_a_python_that_no_board_has_is_refused(tmp_path: Path) -> None:
    script = str(DOCKER / "fill-wheelhouse.sh")
    done = subprocess.run([script, "3.11", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "not 3.11" in done.stderr
