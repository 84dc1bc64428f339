"""A stand-in for the docker program: runs the stand-in atc "inside a container".

It knows the few commands that a conversion needs and refuses every option that it does not know.
A container is a process in a session of its own, so it outlives the client that started it, as with
Docker; ``docker rm --force`` ends it. It sees the variables of ``--env`` only, its own PATH, and of
the file system what the mounted folder holds: a path inside is only understood as the working
directory.

Environment:
    STANDIN_DOCKER_IMAGES   names of the images that are there, with spaces between them
    STANDIN_DOCKER_PROGRAMS folder of the programs inside, for their PATH
    STANDIN_DOCKER_STATE    folder: a file per running container, and runs.jsonl with all arguments
    STANDIN_DOCKER_DOWN     the daemon does not answer
    STANDIN_ATC_*           handed to the stand-in atc inside
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

_IMAGE_ID = "sha256:" + "0123456789abcdef" * 4
_PLAIN = ("--rm", "--init", "--interactive", "-i")
_VALUED = ("--name", "--network", "--user", "--volume", "--workdir", "--env")


def fail(text: str, status: int) -> int:
    sys.stderr.write(text + "\n")
    return status


def main(arguments: Sequence[str]) -> int:
    state = Path(os.environ["STANDIN_DOCKER_STATE"])
    with (state / "runs.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(list(arguments)) + "\n")
    if os.environ.get("STANDIN_DOCKER_DOWN"):
        return fail("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", 1)
    images = os.environ["STANDIN_DOCKER_IMAGES"].split()
    if list(arguments[:2]) == ["image", "inspect"]:
        return inspect_image(arguments[2:], images)
    if arguments and arguments[0] == "run":
        return run(list(arguments[1:]), images, state)
    if list(arguments[:2]) == ["rm", "--force"] and len(arguments) == 3:
        return remove(arguments[2], state)
    return fail(f"docker: the stand-in has no command {arguments[:2]}", 125)


def inspect_image(arguments: Sequence[str], images: Sequence[str]) -> int:
    name = arguments[-1]
    if list(arguments[:-1]) != ["--format={{.Id}}"]:
        return fail(f"docker: the stand-in does not inspect with {arguments[:-1]}", 125)
    if name not in images:
        sys.stdout.write("\n")
        return fail(f"Error: No such image: {name}", 1)
    sys.stdout.write(_IMAGE_ID + "\n")
    return 0


def run(arguments: List[str], images: Sequence[str], state: Path) -> int:
    options: List[Tuple[str, str]] = []
    while arguments and arguments[0].startswith("-"):
        name, equals, value = arguments.pop(0).partition("=")
        if (name in _VALUED) != bool(equals) or name not in _PLAIN + _VALUED:
            return fail(f"unknown flag: {name}", 125)
        options.append((name, value))
    if not arguments or arguments[0] not in images:
        return fail(f"Unable to find image '{(arguments or [''])[0]}' locally", 125)
    single = dict(options)
    outside, _, inside = single.get("--volume", "").partition(":")
    if not Path(outside).is_absolute() or not Path(outside).is_dir():
        return fail(f"docker: the folder {outside!r} to mount is not there", 125)
    if single.get("--workdir") != inside:
        return fail("docker: the stand-in works in the mounted folder alone", 125)
    environ = container_environment(options)
    container = subprocess.Popen(
        arguments[1:], cwd=outside, env=environ, start_new_session=True, stdin=subprocess.DEVNULL
    )
    mark = state / single.get("--name", "nameless")
    mark.write_text(str(container.pid), encoding="ascii")
    status = container.wait()
    if mark.is_file():
        mark.unlink()
    return 128 - status if status < 0 else status


def container_environment(options: Sequence[Tuple[str, str]]) -> Dict[str, str]:
    given = [value.partition("=") for name, value in options if name == "--env"]
    environ = {name: value for name, _, value in given}
    environ["PATH"] = f"{os.environ['STANDIN_DOCKER_PROGRAMS']}:/usr/local/bin:/usr/bin:/bin"
    handed = {key: value for key, value in os.environ.items() if key.startswith("STANDIN_ATC_")}
    return {**environ, **handed}


def remove(name: str, state: Path) -> int:
    mark = state / name
    if not mark.is_file():
        return fail(f"Error: No such container: {name}", 1)
    os.killpg(int(mark.read_text(encoding="ascii")), signal.SIGKILL)
    mark.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
