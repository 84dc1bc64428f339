"""atc in a container: how it is started, ended, and what is said when there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

import pytest
from convert_files import left_behind, make_workshop

from atlas_hpe.errors import DeviceError, UsageError
from atlas_hpe_export.convert import AippRequest, ConvertOptions, compile_om
from standin_tools import docker_runs, install_docker

NV12 = ConvertOptions(aipp=AippRequest("nv12"))


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, no atc, and a docker that has the image cann:5.1."""
    make_workshop(tmp_path, monkeypatch)
    for name, value in install_docker(tmp_path / "docker").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{tmp_path / 'docker'}:/usr/bin:/bin")
    return tmp_path


def test_a_container_does_the_same(workshop: Path) -> None:
    report = compile_om("hand.onnx", options=NV12, docker="cann:5.1")
    assert report.toolchain.startswith("atc in the image cann:5.1 (sha256:")
    assert left_behind(workshop) == {"hand.om", "hand.om.json", "hand.om.log"}
    run = next(words for words in docker_runs(workshop / "docker") if words[0] == "run")
    for word in ("--rm", "--network=none", f"--user={os.getuid()}:{os.getgid()}"):
        assert word in run
    assert compile_om("hand.onnx", options=NV12, docker="cann:5.1").state == "up to date"


def test_a_container_is_ended_with_the_conversion(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_ATC_SLEEP_S", "60")
    with pytest.raises(DeviceError, match="time limit"):
        compile_om("hand.onnx", docker="cann:5.1", timeout_s=2)
    removed = docker_runs(workshop / "docker")[-1]
    assert removed[:2] == ["rm", "--force"]
    marks = {path.name for path in (workshop / "docker/docker-state").iterdir()}
    assert marks == {"runs.jsonl"}
    assert left_behind(workshop) == {"hand.om.log"}


def test_a_second_interruption_does_not_reach_what_removes_the_container(workshop: Path) -> None:
    """The terminal sends it to every process of its session."""
    docker, real = workshop / "docker/docker", workshop / "docker/docker.real"
    docker.rename(real)
    docker.write_text(
        f'#!/bin/sh\n[ "$1" != rm ] || cut -d" " -f6 /proc/$$/stat >"{workshop}/session"\n'
        f'exec {real} "$@"\n'
    )
    docker.chmod(0o755)
    compile_om("hand.onnx", docker="cann:5.1")
    assert int((workshop / "session").read_text()) != os.getsid(0)


@pytest.mark.parametrize(
    ("image", "environ", "message"),
    [
        ("other", {}, "not on this machine"),
        ("cann:5.1", {"STANDIN_DOCKER_DOWN": "1"}, "does not answer"),
    ],
)
def test_a_container_that_can_not_be_had_is_explained(
    image: str,
    environ: Dict[str, str],
    message: str,
    workshop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeviceError, match=message):
        compile_om("hand.onnx", docker=image)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeviceError, match="no Docker"):
        compile_om("hand.onnx", docker=image)


@pytest.mark.parametrize("image", ["", "--privileged"])
def test_what_can_not_be_an_image_is_a_mistake_of_the_user(image: str, workshop: Path) -> None:
    with pytest.raises(UsageError, match="no name of an image"):
        compile_om("hand.onnx", docker=image)
    assert left_behind(workshop) == set()


def test_a_container_that_does_not_start_is_not_a_failure_of_atc(workshop: Path) -> None:
    docker = workshop / "docker/docker"
    real = workshop / "docker/docker.real"
    docker.rename(real)
    docker.write_text(
        f'#!/bin/sh\n[ "$1" != run ] || {{ echo "docker: no such user"; exit 125; }}\n'
        f'exec {real} "$@"\n'
    )
    docker.chmod(0o755)
    with pytest.raises(DeviceError, match="could not start the container") as caught:
        compile_om("hand.onnx", docker="cann:5.1")
    assert caught.value.why == "docker: no such user"
