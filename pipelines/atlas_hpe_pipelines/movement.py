"""A picture of how far a model's joints lie from those of its reference."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, List, Tuple, Union

import cv2
import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe.geometry import apply_affine, to_pixel_centres
from atlas_hpe.hands import BONES
from atlas_hpe.outfile import AtomicFile, check_out_path, disk_error
from atlas_hpe.parity import RUNGS, LadderReport, WorstSample

__all__ = ["check_worst_pictures", "draw_movement", "draw_skeleton", "write_worst_pictures"]

#: Two colours that colour-blind viewers tell apart (Okabe and Ito, 2008), BGR.
_REFERENCE = ("reference: blue", (178, 114, 0))
_CANDIDATE = ("model: orange", (0, 159, 230))
_SIDE_PX = 800  # of the view, which is a square
_TEXT_PX = 30
_MARGIN = 0.25  # of the hand's extent, on each side
_LEAST_VIEW_PX = 24.0  # of the source: below that an enlarged picture shows nothing but pixels
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _BLACK = (255, 255, 255), (25, 25, 25)


def check_worst_pictures(folder: Union[str, Path], *, force: bool) -> None:
    """Tell before any work whether ``write_worst_pictures`` could write its files.

    Raises:
        OutputError: The folder can't be made, or holds such pictures and ``force`` is false.
    """
    folder = Path(folder)
    if folder.is_dir():
        for rung in (*RUNGS, "replay"):
            check_out_path(_picture_path(folder, rung), [".png"], force=force)
    elif folder.exists():
        raise OutputError("the output is not a folder", where=folder, fix="name a folder")
    else:
        # Refuses a parent that is missing, no folder or not writable.
        check_out_path(folder, [folder.suffix.lower()], force=False)


def _picture_path(folder: Path, rung: str) -> Path:
    return folder / f"worst_{rung}.png"


def write_worst_pictures(
    report: LadderReport, folder: Union[str, Path], *, force: bool = False
) -> List[Path]:
    """Write ``worst_<rung>.png`` for each rung that has a picture and joints.

    Args:
        report: What the ladder found.
        folder: Made when it does not exist; its parent must.
        force: Replace pictures that exist.

    Returns:
        The files, in the order of the rungs.

    Raises:
        OutputError: A file can't be written, or must not be.
    """
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error
    written: List[Path] = []
    for rung in report.rungs:
        worst = rung.worst
        if worst is None or (worst.sample.picture is None and worst.sample.crop is None):
            continue
        path = check_out_path(_picture_path(folder, rung.name), [".png"], force=force)
        done, data = cv2.imencode(".png", draw_movement(worst, rung.name))
        if not done:
            raise OutputError("OpenCV could not pack the picture", where=path)
        with AtomicFile(path, force=force) as file:
            file.write(data.tobytes())
        written.append(path)
    return written


def draw_movement(worst: WorstSample, title: str) -> np.ndarray:
    """The hand, enlarged, with the skeletons of the reference and of the model.

    Args:
        worst: A sample with its picture, or at least its crop, and both sets of joints.
        title: Name of what was compared.

    Returns:
        (900, 800, 3) uint8, BGR: the view with a legend below.

    Raises:
        ValueError: The sample has neither a picture nor a crop.
    """
    image, reference, candidate = _place(worst)
    view, scale, offset = _enlarge(image, np.concatenate([reference, candidate]))
    skeletons = [(joints - offset) * scale for joints in (reference, candidate)]
    for joints, (_, colour), width_px in zip(skeletons, (_REFERENCE, _CANDIDATE), (5, 2)):
        draw_skeleton(view, joints, colour, width_px)
    moved = np.linalg.norm(reference - candidate, axis=1)
    legend = np.full((100, _SIDE_PX, 3), _WHITE, np.uint8)
    cv2.putText(legend, _REFERENCE[0], (10, 28), _FONT, 0.7, _REFERENCE[1], 2, cv2.LINE_AA)
    cv2.putText(legend, _CANDIDATE[0], (300, 28), _FONT, 0.7, _CANDIDATE[1], 2, cv2.LINE_AA)
    for row, text in enumerate(_describe(worst, title, moved, scale)):
        place = (10, 28 + (row + 1) * _TEXT_PX)
        cv2.putText(legend, text, place, _FONT, 0.6, _BLACK, 1, cv2.LINE_AA)
    return np.concatenate([view, legend])


def _describe(worst: WorstSample, title: str, moved: np.ndarray, scale: float) -> Tuple[str, str]:
    name = worst.sample.name.encode("ascii", "replace").decode()  # OpenCV has no other letters
    pixels = "source px" if _has_source(worst) else "px of the network's input"
    largest = f"{np.nanmax(moved):.3g}" if np.isfinite(moved).any() else "-"
    return (
        f"{title}: worst sample {name[:60]}, enlarged {scale:.3g} times",
        f"a joint moved by {largest} {pixels}, {worst.lost} joints found by one only",
    )


def _has_source(worst: WorstSample) -> bool:
    return worst.sample.picture is not None and worst.sample.to_source is not None


def _place(worst: WorstSample) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture to draw on, with the joints of both in its pixels."""
    sample = worst.sample
    if sample.picture is not None and sample.to_source is not None:
        reference = apply_affine(sample.to_source, worst.reference)
        return sample.picture, reference, apply_affine(sample.to_source, worst.candidate)
    if sample.crop is None:
        raise ValueError("the sample has no picture")
    return sample.crop, worst.reference, worst.candidate


def _enlarge(image: np.ndarray, joints: np.ndarray) -> Tuple[np.ndarray, float, np.ndarray]:
    """The square around the joints as a large picture, its scale, and where its corner lies."""
    found = joints[np.isfinite(joints).all(axis=1)]
    size = np.array([image.shape[1], image.shape[0]], float)
    found = np.clip(found, 0, size)
    low, high = (found.min(axis=0), found.max(axis=0)) if len(found) else (np.zeros(2), size)
    side = max((1 + 2 * _MARGIN) * float((high - low).max()), _LEAST_VIEW_PX)
    offset = (low + high) / 2 - side / 2
    scale = _SIDE_PX / side
    affine = np.array([[scale, 0, -scale * offset[0]], [0, scale, -scale * offset[1]]])
    size_px = (_SIDE_PX, _SIDE_PX)
    view = cv2.warpAffine(image, to_pixel_centres(affine), size_px, flags=cv2.INTER_LINEAR)
    return np.asarray(view), scale, offset


def draw_skeleton(
    view: np.ndarray, joints: np.ndarray, colour: Tuple[int, int, int], width_px: int
) -> None:
    """Draw a skeleton of one colour into a picture.

    Args:
        view: (H, W, 3) uint8, BGR; drawn on.
        joints: (21, 2) in pixels; a joint that is not finite is left out with its bones.
        colour: BGR.
        width_px: Width of a bone.
    """
    points = np.clip(np.nan_to_num(joints), -4096, 4096).round().astype(int).tolist()
    found = np.isfinite(joints).all(axis=1)
    bones = [(points[a], points[b]) for a, b in BONES if found[a] and found[b]]
    for outline_px, shade in ((width_px + 2, _BLACK), (width_px, colour)):
        for start, end in bones:
            cv2.line(view, tuple(start), tuple(end), shade, outline_px, cv2.LINE_AA)
    for point in _points(points, found):
        cv2.circle(view, point, width_px + 2, colour, -1, cv2.LINE_AA)
        cv2.circle(view, point, width_px + 2, _BLACK, 1, cv2.LINE_AA)


def _points(points: List[List[int]], found: np.ndarray) -> Iterable[Tuple[int, int]]:
    return [(x, y) for (x, y), here in zip(points, found) if here]
