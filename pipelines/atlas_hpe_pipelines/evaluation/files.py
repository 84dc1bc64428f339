"""The files that an evaluation leaves in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Union

import cv2
import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe.outfile import AtomicFile, check_out_path, disk_error
from atlas_hpe_pipelines.evaluation.curve import draw_curve
from atlas_hpe_pipelines.evaluation.measure import Evaluation
from atlas_hpe_pipelines.evaluation.report import evaluation_to_dict
from atlas_hpe_pipelines.evaluation.worst import draw_worst

__all__ = ["check_evaluation_folder", "write_evaluation"]

_CURVE, _WORST, _REPORT = "curve.png", "worst.png", "report.json"


def check_evaluation_folder(folder: Union[str, Path], *, force: bool) -> None:
    """Tell before any work whether ``write_evaluation`` could write its files.

    Raises:
        OutputError: The folder can't be made, or holds such files and ``force`` is false.
    """
    folder = Path(folder)
    if folder.is_dir():
        for name in (_CURVE, _WORST, _REPORT):
            check_out_path(folder / name, [Path(name).suffix], force=force)
    elif folder.exists():
        raise OutputError("the output is not a folder", where=folder, fix="name a folder")
    else:
        # Refuses a parent that is missing, no folder or not writable.
        check_out_path(folder, [folder.suffix.lower()], force=False)


def write_evaluation(
    evaluation: Evaluation, folder: Union[str, Path], *, force: bool = False
) -> List[Path]:
    """Write ``curve.png``, ``worst.png`` and ``report.json``.

    Args:
        evaluation: What came of ``evaluate``.
        folder: Made when it does not exist; its parent must.
        force: Replace files that exist.

    Raises:
        OutputError: A file can't be written, or must not be.
    """
    folder = Path(folder)
    report = evaluation.report
    sheets = [draw_worst(hands, name) for name, hands in evaluation.worst.items()]
    text = json.dumps(evaluation_to_dict(report), indent=2, sort_keys=True, allow_nan=False)
    files: Dict[str, bytes] = {
        _CURVE: _pack_png(draw_curve(report.tasks, report.model)),
        _WORST: _pack_png(np.concatenate(sheets)),
        _REPORT: (text + "\n").encode("utf-8"),
    }
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error
    written: List[Path] = []
    for name, data in files.items():
        path = folder / name
        with AtomicFile(path, force=force) as file:
            file.write(data)
        written.append(path)
    return written


def _pack_png(picture: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise OutputError("OpenCV could not pack the picture")
    return bytes(data.tobytes())
