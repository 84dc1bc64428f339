"""The folder that atc works in: filled, read and removed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from atlas_hpe.errors import DeviceError, InputError, OutputError
from atlas_hpe.files import sha256_of
from atlas_hpe.om_file import read_om_summary
from atlas_hpe_export.convert.atc.script import convert_script
from atlas_hpe_export.convert.job import ConvertJob

__all__ = ["fill_folder", "scratch_folder", "take_model"]


@contextmanager
def scratch_folder(job: ConvertJob) -> Iterator[Path]:
    """A folder with what atc reads, gone at the end whatever happens.

    Raises:
        InputError: The model is no longer the one that was looked at.
        OutputError: The system has no room for it.
    """
    # Not mkdtemp: Ctrl-C may come while the folder is made, and its name has to be known then.
    folder = Path(tempfile.gettempdir()) / f"atlas-hpe-convert-{secrets.token_hex(8)}"
    try:
        try:
            folder.mkdir(mode=0o700)
            fill_folder(folder, job, f"{job.name}.om")
        except OSError as error:
            raise _no_room(folder.parent, error) from error
        yield folder
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


def fill_folder(folder: Path, job: ConvertJob, om: str) -> None:
    """Write the model, its outside weights, the side files and ``convert.sh``.

    Args:
        folder: An empty folder.
        job: What is converted.
        om: File name that the script gives the result.

    Raises:
        InputError: The model is no longer the one that was looked at.
        OSError: The disk refuses.
    """
    onnx = folder / f"{job.name}.onnx"
    shutil.copyfile(str(job.model), str(onnx))
    for name in job.summary.external_files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(job.model.parent / name), str(target))
    for name, text in job.command.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = convert_script(job.argv, job.name, om)
    (folder / "convert.sh").write_text(script, encoding="utf-8")
    job.check_unchanged(sha256_of(onnx))


def take_model(folder: Path, job: ConvertJob, log: Path) -> bytes:
    """The .om that atc wrote, when it is whole and for the chip that was asked.

    Newer releases name some models ``<output>_<os>_<arch>.om`` (ascend.md section 3.1).

    Raises:
        DeviceError: None, several, a damaged one, or one for another chip.
    """
    found = [folder / f"{job.name}.om", *sorted(folder.glob(f"{job.name}_*_*.om"))]
    found = [path for path in found if path.is_file()]
    if len(found) != 1:
        names = ", ".join(path.name for path in found)
        raise DeviceError(
            f"atc ended well and wrote {'two models' if found else 'no model'}",
            where=log,
            why=f"found {names}" if found else f"expected {job.name}.om",
            fix="read the log",
        )
    try:
        chips = {model.soc for model in read_om_summary(found[0]).models if model.soc is not None}
        content = found[0].read_bytes()
    except (InputError, OSError) as error:
        said = error.why or error.what if isinstance(error, InputError) else error.strerror
        raise DeviceError(
            "atc ended well, and its .om can't be read",
            where=log,
            why=said,
            fix="check the free space of the temporary folder, and convert again",
        ) from error
    if chips - {job.soc}:
        raise DeviceError(
            "atc compiled for another chip than the one asked for",
            where=log,
            why=f"asked for {job.soc}, the .om is for {', '.join(sorted(chips))}",
            fix="an .om loads on its own chip only: check which atc is on PATH",
        )
    return content


def _no_room(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        "the temporary folder can't be written",
        where=folder,
        why=error.strerror or str(error),
        fix="free some space, or name another folder: TMPDIR=/path atlas-hpe convert ...",
    )
