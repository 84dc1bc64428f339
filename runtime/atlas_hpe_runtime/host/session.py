"""A session on ONNX Runtime: inputs are read where they lie, outputs go to fresh arrays."""

from __future__ import annotations

from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Dict, Mapping, Optional, Tuple, Type

import numpy as np

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import DeviceError, ModelFileError
from atlas_hpe_runtime.background import BackgroundRuns
from atlas_hpe_runtime.session import RunTimes, check_feeds, closed_error

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["OnnxRuntimeSession"]

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


class OnnxRuntimeSession:
    """A ``Session`` on ONNX Runtime; several threads may run it at once.

    Args:
        session: The loaded model.
        failures: What ONNX Runtime raises.
        basis: What the outputs and times are.

    Attributes:
        backend: ``"onnxruntime"``.
        basis: What the outputs and times are.
        inputs: Inputs in graph order.
        outputs: Outputs in graph order.
        providers: Where ONNX Runtime computes, in its order of preference.

    Raises:
        ModelFileError: An input or output has a type that NumPy lacks.
    """

    backend = "onnxruntime"

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        failures: Tuple[Type[Exception], ...],
        basis: str,
    ) -> None:
        self._session: Optional[onnxruntime.InferenceSession] = session
        self._failures = failures
        self._background = BackgroundRuns("onnxruntime")
        self.basis = basis
        self.providers: Tuple[str, ...] = tuple(session.get_providers())
        self.inputs = tuple(_to_spec(item) for item in session.get_inputs())
        self.outputs = tuple(_to_spec(item) for item in session.get_outputs())

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run once and wait; see ``Session.run``."""
        return self.run_timed(feeds)[0]

    def run_timed(self, feeds: Mapping[str, np.ndarray]) -> Tuple[Dict[str, np.ndarray], RunTimes]:
        """Run once and tell where the time went; see ``Session.run_timed``.

        On the CPU nothing is copied in, and out only what has no fixed size. Another provider
        brings its outputs back inside ``execute_ms``.
        """
        started = perf_counter()
        session = self._open_session()
        check_feeds(self.inputs, feeds)
        return self._run_checked(session, feeds, started)

    def submit(self, feeds: Mapping[str, np.ndarray]) -> int:
        """Start a run on the session's worker thread; see ``Session.submit``."""
        session = self._open_session()
        check_feeds(self.inputs, feeds)
        kept = dict(feeds)
        return self._background.submit(lambda: self._run_checked(session, kept, perf_counter())[0])

    def result(self, handle: int) -> Dict[str, np.ndarray]:
        """Wait for a submitted run; see ``Session.result``."""
        self._open_session()
        return self._background.result(handle)

    def close(self) -> None:
        """Release the model; pending runs are finished and dropped."""
        self._background.close()
        self._session = None

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
            raise closed_error()
        return self._session

    def _run_checked(
        self,
        session: onnxruntime.InferenceSession,
        feeds: Mapping[str, np.ndarray],
        started: float,
    ) -> Tuple[Dict[str, np.ndarray], RunTimes]:
        try:
            # A binding of its own for every run: threads would write into each other's outputs.
            binding = session.io_binding()
            for spec in self.inputs:
                _bind_input(binding, spec.name, feeds[spec.name])
            for spec in self.outputs:
                # Without a size: the one that ONNX Runtime infers for a fixed output may be wrong
                # (pooling with ceil_mode), and the run then fails.
                binding.bind_output(spec.name, "cpu")
            binding.synchronize_inputs()
            bound = perf_counter()
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            executed = perf_counter()
            made = zip(self.outputs, binding.get_outputs())
            outputs = {spec.name: value.numpy() for spec, value in made}
        except self._failures as error:
            raise DeviceError("ONNX Runtime failed on a run", why=str(error).strip()) from error
        copied = perf_counter()
        times = (bound - started, executed - bound, copied - executed)
        return outputs, RunTimes(*(1e3 * seconds for seconds in times))


def _bind_input(binding: onnxruntime.IOBinding, name: str, array: np.ndarray) -> None:
    """Let ONNX Runtime read an array where it lies; only a strided or unaligned one is copied."""
    # require() keeps a scalar a scalar, ascontiguousarray() does not.
    binding.bind_cpu_input(name, np.require(array, requirements=("C_CONTIGUOUS", "ALIGNED")))


def _to_spec(item: onnxruntime.NodeArg) -> TensorSpec:
    dtype = _DTYPES.get(item.type)
    if dtype is None:
        raise ModelFileError(
            f"the model's tensor '{item.name}' can't be fed or read",
            why=f"its type {item.type} has no form in NumPy",
            fix="export the model with tensors of numbers as its inputs and outputs",
        )
    shape = tuple(size if isinstance(size, int) else -1 for size in item.shape)
    return TensorSpec(name=item.name, shape=shape, dtype=dtype)
