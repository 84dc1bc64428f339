"""atc inside a Docker container: how it is started, and how it is stopped."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import List, Mapping, Sequence, Tuple

from atlas_hpe.errors import DeviceError, UsageError

__all__ = ["DOCKER_REFUSED", "container_argv", "find_image", "refused_error", "remove_container"]

#: Exit status of docker itself, when it could not start the container.
DOCKER_REFUSED = 125
_FOLDER = "/work"  # of the scratch folder, inside
_ASK_S = 60.0


def container_argv(image: str, folder: Path) -> Tuple[str, List[str]]:
    """Name of the container, and the command that runs convert.sh of a folder in it.

    No network, nothing of this machine but the folder, and the user's own id, so that what it
    writes belongs to the user. It goes away when it ends.

    Args:
        image: Image with the CANN toolkit.
        folder: Holds the model, the side files and convert.sh; the result lands there.
    """
    name = f"atlas-hpe-convert-{secrets.token_hex(6)}"
    return name, [
        "docker",
        "run",
        "--rm",
        "--init",
        f"--name={name}",
        "--network=none",
        f"--user={os.getuid()}:{os.getgid()}",
        f"--volume={folder}:{_FOLDER}",
        f"--workdir={_FOLDER}",
        f"--env=HOME={_FOLDER}",
        "--env=ASCEND_SLOG_PRINT_TO_STDOUT=1",
        # The user of this machine has no name in there, and atc's Python asks for one.
        "--env=LOGNAME=convert",
        image,
        "sh",
        "./convert.sh",
    ]


def find_image(image: str, environ: Mapping[str, str]) -> str:
    """Id of an image that is on this machine.

    Raises:
        UsageError: No image can have that name.
        DeviceError: There is no Docker, it refuses, or the image is not here.
    """
    if not image or image.startswith("-"):
        raise UsageError("that is no name of an image", where=f"--docker {shlex.quote(image)}")
    answer = _ask(["docker", "image", "inspect", "--format={{.Id}}", image], environ)
    said = answer.stderr.decode("utf-8", "replace").strip()
    if answer.returncode != 0 and "no such image" in said.lower():
        raise DeviceError(
            "the image is not on this machine",
            where=f"--docker {image}",
            why=said.splitlines()[-1],
            fix="build it with the recipe in docker/, or: docker pull " + image,
        )
    if answer.returncode != 0:
        raise DeviceError(
            "Docker does not answer",
            where=f"--docker {image}",
            why=said.splitlines()[-1] if said else f"exit status {answer.returncode}",
            fix="check: docker version",
        )
    return answer.stdout.decode("ascii", "replace").strip()


def refused_error(image: str, log: Path) -> DeviceError:
    """The error for a container that could not be started."""
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return DeviceError(
        "Docker could not start the container",
        where=f"--docker {image}",
        why=said[-1] if said else None,
        fix=f"the whole log is {log}",
    )


def remove_container(name: str, environ: Mapping[str, str]) -> None:
    """End a container that outlived its client, and remove it; does nothing without one."""
    with suppress(DeviceError):
        _ask(["docker", "rm", "--force", name], environ)


def _ask(argv: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - a list of words, never a shell
            list(argv),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,  # a second Ctrl-C must not stop it from removing a container
            timeout=_ASK_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise DeviceError(
            "there is no Docker on this machine",
            where=" ".join(argv[:2]),
            fix="install Docker, or leave --docker out to use an installed toolkit",
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(
            "Docker does not answer", where=" ".join(argv[:2]), why=str(error)
        ) from error
