"""Open a model with the back-end that fits it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

from atlas_hpe.errors import InputError, ModelFileError, UsageError
from atlas_hpe.files import check_readable
from atlas_hpe.simulated_file import is_simulated_name, refuse_simulated_model
from atlas_hpe_runtime.backends import BACKENDS, SessionOptions
from atlas_hpe_runtime.session import Session

__all__ = ["open_session"]

_SUFFIX_BACKENDS = {".onnx": "onnxruntime", ".om": "acl"}


def open_session(
    path: Union[str, Path],
    backend: str = "auto",
    device: int = 0,
    threads: Optional[int] = None,
    frames_in_flight: int = 2,
    batch: Optional[int] = None,
    image_size: Optional[Tuple[int, int]] = None,
    half: bool = False,
    providers: Sequence[str] = (),
) -> Session:
    """Load a model and make it ready to run.

    Args:
        path: Model file.
        backend: Name of a back-end, or ``"auto"`` to take the one for the file's name: the
            simulator for ``.simulated.om``, a device for any other ``.om``.
        device: Number of the device.
        threads: CPU threads for a back-end on the host, None for one per core.
        frames_in_flight: Runs on a device at once; one more waits for the oldest.
        batch: Batch of a model with a dynamic batch, None to take it from the feeds.
        image_size: Height and width of a model with dynamic sizes, None to take it from the feeds.
        half: Compute as the board would, in emulated half precision (onnxruntime only).
        providers: Where ONNX Runtime computes, the first that can; empty for the CPU
            (onnxruntime only).

    Returns:
        A session; use it as a context manager.

    Raises:
        UsageError: No such back-end, an option with an impossible value, or one that the back-end
            does not have.
        InputError: The file can't be read, or its name is not UTF-8.
        ModelFileError: The file is damaged, unsafe, or of a kind no back-end takes.
        MissingExtraError: The back-end's library is not installed, or CANN is not on the path.
        DeviceError: The device can't be used.
    """
    path = check_readable(path)
    _check_name(path)
    backend = _choose_backend(path, backend)
    if backend == "onnxruntime":
        refuse_simulated_model(path)
    if backend != "onnxruntime" and (half or providers):
        raise UsageError(
            f"the back-end '{backend}' does not have this option",
            where="half" if half else "providers",
            why="how and where it computes is fixed",
            fix="leave it out, or use --backend onnxruntime",
        )
    options = SessionOptions(
        device=device,
        threads=threads,
        frames_in_flight=frames_in_flight,
        batch=batch,
        image_size=image_size,
        half=half,
        providers=(providers,) if isinstance(providers, str) else tuple(providers),
    )
    module = importlib.import_module(f"atlas_hpe_runtime.backends.{backend}")
    session: Session = module.open_model(path, options)
    return session


def _check_name(path: Path) -> None:
    """Neither ONNX Runtime nor ACL takes bytes for a name."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "the model's file name is not UTF-8", where=ascii(str(path)), fix="rename it"
        ) from error


def _choose_backend(path: Path, backend: str) -> str:
    if backend == "auto":
        if is_simulated_name(path):
            return "simulator"
        suffix = path.suffix.lower()
        if suffix not in _SUFFIX_BACKENDS:
            raise ModelFileError(
                f"no back-end takes a file with the suffix '{path.suffix}'",
                where=path,
                fix="give a file with one of the suffixes " + ", ".join(_SUFFIX_BACKENDS),
            )
        return _SUFFIX_BACKENDS[suffix]
    if backend not in BACKENDS:
        raise UsageError(
            f"there is no back-end '{backend}'",
            where="--backend",
            fix="choose one of: auto, " + ", ".join(BACKENDS),
        )
    return backend
