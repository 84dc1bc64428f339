"""The contract that every back-end keeps: open a model, feed it arrays, get arrays."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Dict, Mapping, Optional, Sequence, Tuple, Type

import numpy as np
from typing_extensions import Protocol

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import SessionError

__all__ = [
    "BASIS_BOARD",
    "BASIS_EMULATED",
    "BASIS_HOST",
    "BASIS_SIMULATED",
    "HasShape",
    "RunTimes",
    "Session",
    "check_feeds",
    "closed_error",
    "unknown_handle_error",
]

BASIS_BOARD = "measured on a board"
BASIS_SIMULATED = "simulated"
BASIS_HOST = "measured on this host"
BASIS_EMULATED = "estimated on this host, half precision emulated"


@dataclass(frozen=True)
class RunTimes:
    """Where the time of one run went.

    Attributes:
        copy_in_ms: Checking the feeds and bringing them to where the model reads them.
        execute_ms: The model itself, from its start until it has finished.
        copy_out_ms: Bringing the outputs into arrays of the caller.
    """

    copy_in_ms: float
    execute_ms: float
    copy_out_ms: float


class HasShape(Protocol):
    """What is asked of a feed: an ndarray has it, and so has an array in device memory."""

    @property
    def shape(self) -> Tuple[int, ...]:
        """Size of each axis."""

    @property
    def dtype(self) -> np.dtype:
        """Element type."""


class Session(Protocol):
    """A model that is ready to run. Use it as a context manager.

    Attributes:
        backend: Name of the back-end, for example ``"onnxruntime"``.
        basis: What the outputs and times are: one of the ``BASIS_`` constants. Reports print it.
        inputs: Inputs in graph order; a dimension of -1 takes any size.
        outputs: Outputs in graph order.
    """

    backend: str
    basis: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run once and wait.

        Args:
            feeds: Input name -> array of exactly the declared shape and dtype.

        Returns:
            Output name -> array that belongs to the caller.

        Raises:
            SessionError: Closed session, or a feed with a wrong name, shape or dtype.
            DeviceError: The back-end failed.
        """

    def run_timed(self, feeds: Mapping[str, np.ndarray]) -> Tuple[Dict[str, np.ndarray], RunTimes]:
        """Run once, wait, and tell where the time went.

        Args:
            feeds: As for ``run``.

        Returns:
            The outputs as ``run`` gives them, and the times.

        Raises:
            SessionError: As for ``run``.
            DeviceError: As for ``run``.
        """

    def submit(self, feeds: Mapping[str, np.ndarray]) -> int:
        """Start a run and return its handle; feeds must stay unchanged until its result is taken.

        Raises:
            SessionError: As for ``run``.
        """

    def result(self, handle: int) -> Dict[str, np.ndarray]:
        """Wait for a submitted run; each handle is taken once.

        Raises:
            SessionError: A handle that was never given out or has been taken.
            DeviceError: The back-end failed.
        """

    def close(self) -> None:
        """Release everything; calling it again does nothing."""

    def __enter__(self) -> Session: ...

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...


def check_feeds(
    inputs: Sequence[TensorSpec],
    feeds: Mapping[str, HasShape],
    kinds: Tuple[type, ...] = (np.ndarray,),
) -> None:
    """Hold feeds against the declared inputs.

    Args:
        inputs: The inputs.
        feeds: Input name -> what is fed.
        kinds: What the back-end can read.

    Raises:
        SessionError: No mapping, a missing or unknown name, something that is no array, a wrong
            shape or a wrong dtype.
    """
    names = [spec.name for spec in inputs]
    found = list(feeds) if isinstance(feeds, Mapping) else None
    if found is None or len(found) != len(names) or set(found) != set(names):
        got = f"a {type(feeds).__name__}" if found is None else ", ".join(map(str, found))
        raise SessionError(
            "the feeds do not match the inputs of the model",
            why=f"the model takes {', '.join(names)}; got {got or 'nothing'}",
            fix="pass a dict with one array for each input name",
        )
    for spec in inputs:
        array = feeds[spec.name]
        if not isinstance(array, kinds):
            raise SessionError(
                f"what was fed to input '{spec.name}' is a {type(array).__name__}",
                why="this back-end takes " + " or ".join(kind.__name__ for kind in kinds),
                fix="give a NumPy array; read_tensor() makes one of a device tensor",
            )
        shape_fits = len(array.shape) == len(spec.shape) and all(
            want in (-1, have) for want, have in zip(spec.shape, array.shape)
        )
        if not shape_fits or array.dtype != np.dtype(spec.dtype):
            raise SessionError(
                f"the array for input '{spec.name}' does not fit",
                why=f"the model takes {spec.dtype} {list(spec.shape)}, "
                f"got {array.dtype} {list(array.shape)}",
                fix="prepare it with atlas_hpe_pipelines.to_feeds and the model's card",
            )


def closed_error() -> SessionError:
    """The error for a session that is used after ``close``."""
    return SessionError("the session is closed", fix="open it again with open_session()")


def unknown_handle_error(handle: int) -> SessionError:
    """The error for a handle that ``result`` can't take."""
    return SessionError(
        f"there is no run with handle {handle}",
        why="it was never given out, or its result has been taken",
        fix="take each handle of submit() once",
    )
