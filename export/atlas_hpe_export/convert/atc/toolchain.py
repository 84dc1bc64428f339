"""Which compiler there is: atc of an installed toolkit, or one in a container."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Callable, Mapping, Optional, Sequence

from atlas_hpe.cann import atc_environment, find_atc
from atlas_hpe_export.convert.atc.container import container_argv, find_image, remove_container
from atlas_hpe_export.convert.atc.process import ProcessResult, run_logged
from atlas_hpe_export.convert.cache import container_identity, program_identity

__all__ = ["Toolchain", "find_toolchain", "run_atc"]


@dataclass(frozen=True)
class Toolchain:
    """A compiler that can be run.

    Attributes:
        name: For people and for the build record.
        identity: What tells it from every other one, for the cache.
        environ: Environment to run it in.
        cann: Version of CANN, None when it is not known.
        atc: The program; None for a container.
        image: The container's image; None for a program.
    """

    name: str
    identity: str
    environ: Mapping[str, str] = field(repr=False)
    cann: Optional[str] = None
    atc: Optional[Path] = None
    image: Optional[str] = None


def find_toolchain(
    docker: Optional[str], environ: Mapping[str, str], root: Path = Path("/")
) -> Optional[Toolchain]:
    """The container's compiler if an image is named, else an installed one; None without both.

    Args:
        docker: Image with the CANN toolkit.
        environ: The user's environment.
        root: Root of the file system, where installed toolkits are looked for.

    Raises:
        DeviceError: Docker or the image is not there.
    """
    if docker is not None:
        image_id = find_image(docker, environ)
        return Toolchain(
            name=f"atc in the image {docker} ({image_id[:19]})",
            identity=container_identity(image_id),
            environ=dict(environ),
            image=docker,
        )
    install = find_atc(environ, root)
    if install is None or install.atc is None:
        return None
    return Toolchain(
        name=f"atc of CANN {install.version or '(unknown version)'}",
        identity=program_identity(install.atc, install.version),
        environ=atc_environment(install, environ, root),
        cann=install.version,
        atc=install.atc,
    )


def run_atc(
    toolchain: Toolchain,
    argv: Sequence[str],
    *,
    folder: Path,
    log: BinaryIO,
    timeout_s: float,
    show: Callable[[str], None],
) -> ProcessResult:
    """Run the compiler in a folder that holds the model, the side files and convert.sh.

    Args:
        toolchain: The compiler.
        argv: ``atc`` and its flags.
        folder: Working directory.
        log: Takes what it says.
        timeout_s: Seconds after which it is stopped.
        show: Takes each line.

    Raises:
        DeviceError: The program can't be started.
        OutputError: The log can't be written.
    """
    if toolchain.image is None:
        return run_logged(
            [str(toolchain.atc), *argv[1:]],
            folder=folder,
            environ=toolchain.environ,
            log=log,
            timeout_s=timeout_s,
            show=show,
        )
    name, words = container_argv(toolchain.image, folder)
    try:
        return run_logged(
            words,
            folder=folder,
            environ=toolchain.environ,
            log=log,
            timeout_s=timeout_s,
            show=show,
        )
    finally:
        remove_container(name, toolchain.environ)
