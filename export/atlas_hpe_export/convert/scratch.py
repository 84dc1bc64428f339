"""The folder that atc works in: filled, read and removed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from atlas_hpe.errors import DeviceError, InputError, OutputError
from atlas_hpe.om_file import read_om_summary
from atlas_hpe_export.convert.atc.script import convert_script
from atlas_hpe_export.convert.job import ConvertJob

__all__ = ["fill_folder", "scratch_folder", "take_model"]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of our own, gone at the end whatever happens.

    Raises:
        OutputError: The system has no room for it.
    """
    try:
        folder = tempfile.mkdtemp(prefix="atlas-hpe-convert-")
    except OSError as error:
        raise _no_room(Path(tempfile.gettempdir()), error) from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill_folder(folder: Path, job: ConvertJob, om: str) -> None:
    """Write the model, its outside weights, the side files and ``convert.sh``.

    Args:
        folder: An empty folder.
        job: What is converted.
        om: File name that the script gives the result.

    Raises:
        OutputError: The disk refuses.
    """
    try:
        shutil.copyfile(str(job.model), str(folder / f"{job.name}.onnx"))
        for name in job.summary.external_files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(job.model.parent / name), str(target))
        for name, text in job.command.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        text = convert_script(job.argv, job.name, om)
        (folder / "convert.sh").write_text(text, encoding="utf-8")
    except OSError as error:
        raise _no_room(folder, error) from error


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
