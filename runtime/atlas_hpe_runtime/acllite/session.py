"""A model behind Huawei's ``AclLiteModel``, with the ``Session`` contract kept around it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Type

import numpy as np

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import DeviceError, ModelFileError
from atlas_hpe_runtime.acl.api import Acl, close_after
from atlas_hpe_runtime.acl.description import read_description
from atlas_hpe_runtime.acl.memory import allocate, write_array
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.profiles import (
    Profile,
    choose_profile,
    narrow_profiles,
    read_profiles,
)
from atlas_hpe_runtime.acl.refusal import explain_refusal
from atlas_hpe_runtime.acllite.library import (
    ACLLITE_LOCK,
    LiteInput,
    LiteModel,
    call_acllite,
    close_lite_model,
    open_lite_model,
    release_inputs,
)
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.background import BackgroundRuns
from atlas_hpe_runtime.session import (
    BASIS_BOARD,
    BASIS_SIMULATED,
    RunTimes,
    check_feeds,
    closed_error,
)

__all__ = ["AclLiteSession"]


class AclLiteSession:
    """A ``Session`` on AclLite.

    Device, context and stream belong to the owner that all sessions of the process share, so this
    back-end goes together with ``acl``, with DVPP, and with a program's own ``AclLiteResource``
    made before. Inputs lie in buffers of this session and AclLite gets their addresses: it would
    keep the size of the first array for good, and never free its copy (ascend.md section 2.3).

    Static models and models with dynamic batch run. Runs of several threads, and of all sessions
    of this back-end, follow one another.

    Args:
        kind: The class ``AclLiteModel``.
        acl: The gate to the module that AclLite calls.
        path: The .om.
        options: Device, and the batch of a dynamic model.

    Attributes:
        backend: ``"acllite"``.
        basis: What its results and times are.
        inputs: Inputs in the model's order; -1 for a dynamic batch.
        outputs: Outputs in the model's order; -1 for a dynamic batch.

    Raises:
        DeviceError: The device or AclLite refused; nothing is left behind.
        ModelFileError: The model has ports or profiles that AclLite can't run.
        UsageError: The model has no profile as the options want it.
    """

    backend = "acllite"

    def __init__(
        self, kind: Type[LiteModel], acl: Acl, path: Path, options: SessionOptions
    ) -> None:
        self.basis = BASIS_SIMULATED if acl.simulated else BASIS_BOARD
        self._background = BackgroundRuns("acllite")
        self._closed = False
        self._acl = acl
        self._owner = DeviceOwner.acquire(acl, options.device)
        with ExitStack() as failure:
            failure.callback(self._owner.release)
            with self._owner, ExitStack() as stack:
                self._open(stack, kind, path, options)
                self._resources = stack.pop_all()
                failure.callback(self._release)
            failure.pop_all()

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run once and wait; see ``Session.run``."""
        return self.run_timed(feeds)[0]

    def run_timed(self, feeds: Mapping[str, np.ndarray]) -> Tuple[Dict[str, np.ndarray], RunTimes]:
        """Run once and tell where the time went; see ``Session.run_timed``.

        AclLite runs the model and copies its outputs in one call: both are in ``execute_ms``.
        """
        started = perf_counter()
        self._check_open()
        check_feeds(self.inputs, feeds)
        arrays = [feeds[spec.name] for spec in self.inputs]
        profile = self._profiles[choose_profile(self._profiles, [item.shape for item in arrays])]
        with ACLLITE_LOCK, self._owner:
            self._check_open()
            for buffer, array, shape in zip(self._buffers, arrays, profile.shapes):
                write_array(self._owner, buffer, _fill_up(array, shape))
            copied = perf_counter()
            found = self._execute(profile)
            executed = perf_counter()
        frames = arrays[0].shape[0] if self._dynamic else None
        outputs = {
            spec.name: self._take(array, spec, frames) for array, spec in zip(found, self.outputs)
        }
        marks = (copied - started, executed - copied, perf_counter() - executed)
        return outputs, RunTimes(*(1e3 * seconds for seconds in marks))

    def submit(self, feeds: Mapping[str, np.ndarray]) -> int:
        """Start a run on the session's worker thread; see ``Session.submit``."""
        self._check_open()
        check_feeds(self.inputs, feeds)
        kept = dict(feeds)
        return self._background.submit(lambda: self.run(kept))

    def result(self, handle: int) -> Dict[str, np.ndarray]:
        """Wait for a submitted run; see ``Session.result``."""
        self._check_open()
        return self._background.result(handle)

    def close(self) -> None:
        """Finish the pending runs, drop their results, and release everything.

        Raises:
            DeviceError: A release failed; the others were carried out all the same.
        """
        self._background.close()
        with ACLLITE_LOCK:
            if self._closed:
                return
            self._closed = True
            try:
                self._release()
            finally:
                self._owner.release()

    def _release(self) -> None:
        with self._owner.for_release():
            self._resources.close()

    def __enter__(self) -> AclLiteSession:
        return self

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        close_after(error, self.close)

    def _open(
        self, stack: ExitStack, kind: Type[LiteModel], path: Path, options: SessionOptions
    ) -> None:
        try:
            self._model = open_lite_model(kind, path)
        except DeviceError as error:
            raise explain_refusal(self._acl, path, error) from error
        stack.callback(close_lite_model, self._model)
        model = read_description(stack, self._acl, self._model._model_id or 0, path)
        profiles = read_profiles(self._acl, model)
        if any(profile.setting is not None and profile.batch is None for profile in profiles):
            raise ModelFileError(
                "AclLite can't choose among the picture sizes of the model",
                where=path,
                why="of dynamic models it runs those with dynamic batch only",
                fix="run it with --backend acl",
            )
        self._most = max(profile.batch or 1 for profile in profiles)
        self._profiles = narrow_profiles(profiles, options.batch, options.image_size)
        self._dynamic = model.shape_input is not None
        self._buffers = [allocate(stack, self._owner, port.size_bytes) for port in model.inputs]
        self.inputs = tuple(port.spec for port in model.inputs)
        shapes = [port.spec for port in model.outputs]
        self.outputs = tuple(_opened(spec) if self._dynamic else spec for spec in shapes)

    def _execute(self, profile: Profile) -> List[np.ndarray]:
        # A new list each time: AclLite appends the hidden input of dynamic models to it.
        feeds: List[LiteInput] = [
            {"data": buffer.pointer, "size": buffer.size_bytes} for buffer in self._buffers
        ]
        batch = profile.batch if self._dynamic else None
        try:
            if batch is None:
                return call_acllite("a run", lambda: self._model.execute(feeds))
            count = batch
            return call_acllite(
                "a run", lambda: self._model._execute_with_dynamic_batch_size(feeds, count)
            )
        finally:
            release_inputs(self._model)
            for hidden in feeds[len(self._buffers) :]:  # it allocates one each time, frees none
                self._acl.release("rt.free", hidden["data"])

    def _take(self, array: np.ndarray, spec: TensorSpec, frames: Optional[int]) -> np.ndarray:
        """An output as declared: AclLite gives the largest batch, and bytes for booleans."""
        if array.dtype != spec.dtype:
            array = array.view(spec.dtype)
        if frames is not None:
            array = array[: array.shape[0] * frames // self._most]
        return array if array.flags.owndata else array.copy()

    def _check_open(self) -> None:
        if self._closed:
            raise closed_error()


def _fill_up(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The array, contiguous, with zeros behind it up to the batch of the profile."""
    if array.shape == tuple(shape):
        return np.require(array, requirements=("C_CONTIGUOUS",))
    whole = np.zeros(shape, array.dtype)
    whole[: array.shape[0]] = array
    return whole


def _opened(spec: TensorSpec) -> TensorSpec:
    """An output of a model with dynamic batch."""
    return replace(spec, shape=(-1, *spec.shape[1:]))
