"""Without a compiler: everything that another machine needs to compile, in a folder."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Set

from atlas_hpe.card import card_path_of, card_to_json
from atlas_hpe.errors import DeviceError, OutputError
from atlas_hpe.outfile import disk_error
from atlas_hpe_export.convert.job import ConvertJob
from atlas_hpe_export.convert.scratch import fill_folder

__all__ = ["hand_over"]


def hand_over(job: ConvertJob, *, force: bool) -> DeviceError:
    """Write ``<stem>.convert/`` beside the output, and say what to do with it.

    Args:
        job: What would be converted.
        force: Replace its files in a folder that holds others too; those stay.

    Returns:
        The error to raise: nothing was compiled.

    Raises:
        OutputError: The folder is not ours to replace, or the disk refuses.
    """
    target = job.out.with_name(job.out.name[: -len(".om")] + ".convert")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=str(target.parent)))
        try:
            fill_folder(folder, job, job.out.name)
            if job.card is not None:
                card = folder / card_path_of(job.out).name
                card.write_text(card_to_json(job.card), encoding="utf-8")
            written = _names(folder)
            _check_target(target, written, force)
            _publish(folder, target, written)
        finally:
            shutil.rmtree(str(folder), ignore_errors=True)
    except OSError as error:
        raise disk_error(target, error) from error
    carried = job.out.name + (f" and {card_path_of(job.out).name}" if job.card else "")
    return DeviceError(
        "there is no atc here, so nothing was compiled",
        where=f"{target}{'/'}",
        why="atc is neither on PATH nor in the usual folders, and --docker names no image; "
        f"the folder holds all that it needs: {', '.join(sorted(written))}",
        fix="copy the folder to a machine with the CANN toolkit (docker/ has a recipe for an "
        f"image), type: sh {shlex.quote(target.name)}/convert.sh, and copy {carried} from it "
        "to the board",
    )


def _names(folder: Path) -> Set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _check_target(target: Path, written: Set[str], force: bool) -> None:
    """Other files in the folder are a user's, a model that was compiled in there for example."""
    if target.is_dir():
        others = sorted(_names(target) - written)
        if others and not force:
            raise OutputError(
                "the folder for the conversion holds other files",
                where=target,
                why=", ".join(others[:5]),
                fix="name another --out, or add --force: it replaces what convert writes and "
                "leaves the others",
            )
    elif target.is_symlink() or target.exists():
        raise OutputError(
            "the folder for the conversion is a file", where=target, fix="name another --out"
        )


def _publish(folder: Path, target: Path, written: Set[str]) -> None:
    """Give the folder its name, or its files theirs in a folder that exists."""
    if not target.is_dir():
        folder.chmod(0o755)
        folder.replace(target)
        return
    for name in sorted(written):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).replace(target / name)
