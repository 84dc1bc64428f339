"""A model on an Ascend device, behind the ``Session`` contract."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Type, Union

import numpy as np

from atlas_hpe_runtime.acl.api import Acl, close_after, device_error
from atlas_hpe_runtime.acl.description import dims_of, read_description
from atlas_hpe_runtime.acl.frames import Frame, Ring
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.pointers import bytes_pointer
from atlas_hpe_runtime.acl.profiles import Profile, choose_profile, narrow_profiles, read_profiles
from atlas_hpe_runtime.acl.refusal import explain_refusal
from atlas_hpe_runtime.acl.slots import Feed, Slot
from atlas_hpe_runtime.acl.tensors import DeviceTensor
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.session import (
    BASIS_BOARD,
    BASIS_SIMULATED,
    RunTimes,
    check_feeds,
    closed_error,
    unknown_handle_error,
)

__all__ = ["AclSession"]

Shape = Tuple[int, ...]
_RESIDENT_SLOTS = 2  # one holds the tensors given last, the other takes the next run


class AclSession:
    """A ``Session`` on pyACL.

    All buffers are made when it is opened and used again for each frame; what a frame allocates
    is its outputs, which belong to the caller. With dynamic models the smallest profile that
    fits is taken, inputs are padded with zeros, and padding along the batch is taken off the
    outputs; outputs of padded pictures have the size that the profile gives.

    Any number of threads may use it. One lock per session covers the start of a frame (copy in,
    choice of the profile, launch), as one model must not be started by two threads at once;
    frames are waited for and copied out without it. A frame that finds all slots taken waits
    until the oldest one is done. The device runs the frames of a session one after the other.

    Args:
        acl: The gate.
        model: Path of the .om, or its content.
        options: Device, frames in flight, and the profile of a dynamic model.

    Attributes:
        backend: ``"acl"``, or ``"simulator"`` on a simulated device.
        basis: What its results and times are.
        inputs: Inputs in the model's order; -1 where profiles differ.
        outputs: Outputs in the model's order; -1 where profiles differ.

    Raises:
        DeviceError: A call failed; nothing is left behind.
        ModelFileError: The model has a port that can't be fed or read, or is a simulated one on a
            real device.
        UsageError: The model has no profile as the options want it.
    """

    def __init__(
        self, acl: Acl, model: Union[Path, bytes], options: Optional[SessionOptions] = None
    ) -> None:
        options = SessionOptions() if options is None else options
        self.backend = "simulator" if acl.simulated else "acl"
        self.basis = BASIS_SIMULATED if acl.simulated else BASIS_BOARD
        self._lock = threading.Lock()
        self._closed = False
        self._pending: Dict[int, Frame] = {}
        self._last: Optional[Frame] = None
        self._started = 1
        self._acl = acl
        self._owner = DeviceOwner.acquire(acl, options.device)
        with ExitStack() as failure:
            failure.callback(self._owner.release)
            with self._owner, ExitStack() as stack:
                self._open(stack, model, options)
                self._resources = stack.pop_all()
                failure.callback(self._release)
            failure.pop_all()

    @property
    def device_owner(self) -> DeviceOwner:
        """The device that it runs on; to use it for longer, ``acquire`` it."""
        return self._owner

    def run(self, feeds: Mapping[str, Feed]) -> Dict[str, np.ndarray]:
        """Run once and wait; see ``Session.run``. Feeds may be device tensors."""
        return self._start(feeds).outputs()

    def run_timed(self, feeds: Mapping[str, Feed]) -> Tuple[Dict[str, np.ndarray], RunTimes]:
        """Run once, wait, and tell where the time went; see ``Session.run_timed``."""
        frame = self._start(feeds)
        outputs = frame.outputs()
        return outputs, frame.clock.times()

    def run_resident(self, feeds: Mapping[str, Feed]) -> Dict[str, DeviceTensor]:
        """Run once, wait, and leave the outputs in device memory.

        The tensors may feed any session on the same device, this one included. They are gone
        when this session has run resident twice more, or is closed.

        Raises:
            SessionError: As for ``run``.
            DeviceError: A call failed.
        """
        frame = self._start(feeds, resident=True)
        frame.outputs()
        return frame.slot.show(frame.shapes, frame.generation)

    def submit(self, feeds: Mapping[str, Feed]) -> int:
        """Start a run and give its handle; see ``Session.submit``.

        Host arrays are copied before it returns; device tensors must stay until the result is
        taken.
        """
        frame = self._start(feeds)
        self._pending[frame.number] = frame
        return frame.number

    def result(self, handle: int) -> Dict[str, np.ndarray]:
        """Wait for a submitted run; see ``Session.result``."""
        self._check_open()
        frame = self._pending.pop(handle, None)
        if frame is None:
            raise unknown_handle_error(handle)
        return frame.outputs()

    def close(self) -> None:
        """Wait for the frames in flight, drop their results, and release everything.

        Raises:
            DeviceError: A release failed; the others were carried out all the same.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._pending.clear()
            try:
                self._release()
            finally:
                self._owner.release()

    def _release(self) -> None:
        with self._owner.for_release(), self._resources:
            for ring in self._rings.values():
                ring.drain()

    def __enter__(self) -> AclSession:
        return self

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        close_after(error, self.close)

    def _open(self, stack: ExitStack, model: Union[Path, bytes], options: SessionOptions) -> None:
        where = model if isinstance(model, Path) else "the model in memory"
        self._content = model  # a model in memory must stay there (ascend.md section 1.3)
        self._model_id = _load(stack, self._acl, model, where)
        self._model = read_description(stack, self._acl, self._model_id, where)
        profiles = read_profiles(self._acl, self._model)
        slots = self._make_slots(stack, options.frames_in_flight)
        self._rings: Dict[bool, Ring] = {False: Ring(slots)}
        shapes = [self._read_output_shapes(slots[0], profile) for profile in profiles]
        self._profiles = narrow_profiles(profiles, options.batch, options.image_size)
        self._output_shapes = [shapes[profiles.index(profile)] for profile in self._profiles]
        self.inputs = tuple(port.spec for port in self._model.inputs)
        self.outputs = tuple(
            replace(port.spec, shape=_common(found))
            for port, found in zip(self._model.outputs, zip(*shapes))
        )

    def _make_slots(self, stack: ExitStack, count: int) -> List[Slot]:
        return [Slot(stack, self._owner, self._model) for _ in range(count)]

    def _read_output_shapes(self, slot: Slot, profile: Profile) -> Tuple[Shape, ...]:
        ports = self._model.outputs
        if profile.setting is None:
            return tuple(port.spec.shape for port in ports)
        slot.choose(self._model_id, profile)
        desc = self._model.handle
        return tuple(
            dims_of(self._acl, "mdl.get_cur_output_dims", desc, port.index) for port in ports
        )

    def _start(self, feeds: Mapping[str, Feed], resident: bool = False) -> Frame:
        begun = perf_counter()
        with self._lock:
            self._check_open()
            check_feeds(self.inputs, feeds, (np.ndarray, DeviceTensor))
            arrays = [feeds[spec.name] for spec in self.inputs]
            place = choose_profile(self._profiles, [array.shape for array in arrays])
            with self._owner:
                if resident and resident not in self._rings:
                    self._add_resident_slots()
                ring = self._rings[resident]
                frame = Frame(
                    self._owner,
                    ring.next(),
                    self._started,
                    self._unpadded(place, arrays[0].shape),
                    resident,
                )
                frame.clock.begun = begun
                self._launch(frame, arrays, self._profiles[place])
            self._started += 1
            self._last = frame
            ring.put(frame)
            return frame

    def _add_resident_slots(self) -> None:
        """Most sessions never need them."""
        with ExitStack() as stack:
            slots = self._make_slots(stack, _RESIDENT_SLOTS)
            self._resources.push(stack.pop_all())
        self._rings[True] = Ring(slots)

    def _launch(self, frame: Frame, arrays: Sequence[Feed], profile: Profile) -> None:
        slot = frame.slot
        slot.generation = frame.generation
        slot.bring(arrays, profile)
        slot.choose(self._model_id, profile)
        if self._last is not None and not self._last.done:
            # All runs of a model share its work memory, so the device must not overlap them.
            before = self._last.slot
            self._acl.call("rt.record_event", before.event, before.stream)
            self._acl.call("rt.stream_wait_event", slot.stream, before.event)
            # Else the event stays reached, and the next wait for it would not wait.
            self._acl.call("rt.reset_event", before.event, slot.stream)
        frame.clock.started = perf_counter()
        self._acl.call("mdl.execute_async", self._model_id, slot.inputs, slot.outputs, slot.stream)

    def _unpadded(self, place: int, shape: Shape) -> Sequence[Shape]:
        """Shapes of the outputs for a first input of that shape, padded to a profile."""
        shapes = self._output_shapes[place]
        full = self._profiles[place].shapes[0] if self._profiles[place].shapes else ()
        if shape[:1] == full[:1]:
            return shapes
        return [
            shape[:1] + found[1:] if spec.shape[:1] == (-1,) and found[:1] == full[:1] else found
            for spec, found in zip(self.outputs, shapes)
        ]

    def _check_open(self) -> None:
        if self._closed:
            raise closed_error()


def _load(stack: ExitStack, acl: Acl, model: Union[Path, bytes], where: object) -> int:
    if isinstance(model, bytes):
        call = "mdl.load_from_mem"
        model_id, code = acl.try_call(call, bytes_pointer(acl, model), len(model))
    else:
        call = "mdl.load_from_file"
        model_id, code = acl.try_call(call, str(model))
    if code or not isinstance(model_id, int):
        raise explain_refusal(acl, model, device_error(call, code, where))
    stack.callback(acl.release, "mdl.unload", model_id)
    return model_id


def _common(shapes: Sequence[Shape]) -> Shape:
    """The shape that all have; -1 where they differ."""
    return tuple(sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*shapes))
