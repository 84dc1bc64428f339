"""Without a compiler: everything that another machine needs to compile, in a folder."""

from __future__ import annotations

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
        force: Replace a folder that holds more than this function writes.

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
            _clear(target, written, force)
            folder.chmod(0o755)
            folder.replace(target)
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
        f"image), type: sh {target.name}/convert.sh, and copy {carried} from it to the board",
    )


def _names(folder: Path) -> Set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _clear(target: Path, written: Set[str], force: bool) -> None:
    """Remove what an earlier run left; a model that was compiled in there is not ours."""
    if not target.exists():
        return
    others = _names(target) - written if target.is_dir() else {target.name}
    if others and not force:
        raise OutputError(
            "the folder for the conversion holds other files",
            where=target,
            why=", ".join(sorted(others)[:5]),
            fix="move them away, add --force to replace the folder, or name another --out",
        )
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(str(target))
    else:
        target.unlink()
