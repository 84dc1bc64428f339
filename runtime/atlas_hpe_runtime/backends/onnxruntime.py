"""ONNX Runtime on the host: the reference that everything else is held against."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Tuple, Type

import numpy as np

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import DeviceError, MissingExtraError, ModelFileError, SessionError
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.session import check_feeds

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["OnnxRuntimeSession", "open_model"]

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(uint16)": "uint16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
_FATAL_ONLY = 4  # errors come as exceptions, and need no second voice on the terminal


def open_model(path: Path, options: SessionOptions) -> OnnxRuntimeSession:
    """Load an .onnx file.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        DeviceError: It is installed but can't be loaded.
        ModelFileError: The file is damaged, unsafe, or not one that ONNX Runtime takes.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module("onnxruntime", "host", "running an .onnx") from error
    except ImportError as error:
        raise DeviceError(
            "onnxruntime is installed but can't be loaded",
            why=str(error),
            fix="pip install --force-reinstall onnxruntime",
        ) from error
    read_onnx_summary(path)  # refuses damaged files and weights from outside the folder
    onnxruntime.disable_telemetry_events()  # nothing is reported home
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = _FATAL_ONLY
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    # Waiting threads must not spin: the other stages of a pipeline need those cores.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    failures = _failure_types()
    try:
        session = onnxruntime.InferenceSession(
            str(path), settings, providers=["CPUExecutionProvider"]
        )
    except failures as error:
        raise ModelFileError(
            "ONNX Runtime does not take the model",
            where=path,
            why=str(error).strip(),
            fix="look at it with: atlas-hpe inspect " + str(path),
        ) from error
    return OnnxRuntimeSession(session, failures)


def _failure_types() -> Tuple[Type[Exception], ...]:
    """ONNX Runtime raises a class per status code, all direct children of Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    found: List[Type[Exception]] = [RuntimeError]
    found += [
        item
        for item in vars(states).values()
        if isinstance(item, type) and issubclass(item, Exception)
    ]
    return tuple(found)


class OnnxRuntimeSession:
    """A ``Session`` on ONNX Runtime's CPU provider.

    Attributes:
        backend: ``"onnxruntime"``.
        inputs: Inputs in graph order.
        outputs: Outputs in graph order.
    """

    backend = "onnxruntime"

    def __init__(
        self, session: onnxruntime.InferenceSession, failures: Tuple[Type[Exception], ...]
    ) -> None:
        self._session: Optional[onnxruntime.InferenceSession] = session
        self._failures = failures
        self._worker: Optional[ThreadPoolExecutor] = None
        self._pending: Dict[int, Future[Dict[str, np.ndarray]]] = {}
        self._next_handle = 1
        self.inputs = tuple(_to_spec(item) for item in session.get_inputs())
        self.outputs = tuple(_to_spec(item) for item in session.get_outputs())

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run once and wait; see ``Session.run``."""
        session = self._open_session()
        check_feeds(self.inputs, feeds)
        return self._run_checked(session, feeds)

    def submit(self, feeds: Mapping[str, np.ndarray]) -> int:
        """Start a run on the session's worker thread; see ``Session.submit``."""
        session = self._open_session()
        check_feeds(self.inputs, feeds)
        if self._worker is None:
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="onnxruntime")
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._pending[handle] = self._worker.submit(self._run_checked, session, feeds)
        return handle

    def result(self, handle: int) -> Dict[str, np.ndarray]:
        """Wait for a submitted run; see ``Session.result``."""
        self._open_session()
        future = self._pending.pop(handle, None)
        if future is None:
            raise SessionError(
                f"there is no run with handle {handle}",
                why="it was never given out, or its result has been taken",
                fix="take each handle of submit() once",
            )
        return future.result()

    def close(self) -> None:
        """Release the model; pending runs are finished and dropped."""
        if self._worker is not None:
            self._worker.shutdown(wait=True)
        self._worker, self._session = None, None
        self._pending.clear()

    def __enter__(self) -> OnnxRuntimeSession:
        return self

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _open_session(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            raise SessionError("the session is closed", fix="open it again with open_session()")
        return self._session

    def _run_checked(
        self, session: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray]
    ) -> Dict[str, np.ndarray]:
        names = [spec.name for spec in self.outputs]
        try:
            arrays = session.run(names, dict(feeds))
        except self._failures as error:
            raise DeviceError("ONNX Runtime failed on a run", why=str(error).strip()) from error
        return dict(zip(names, arrays))


def _to_spec(item: onnxruntime.NodeArg) -> TensorSpec:
    dtype = _DTYPES.get(item.type)
    if dtype is None:
        raise ModelFileError(f"the model's tensor '{item.name}' has the type {item.type}")
    shape = tuple(size if isinstance(size, int) else -1 for size in item.shape)
    return TensorSpec(name=item.name, shape=shape, dtype=dtype)
