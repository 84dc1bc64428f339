"""The buffers of one frame in flight: allocated once, bound to the model once, used again."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import SessionError
from atlas_hpe_runtime.acl.api import Acl, acquire
from atlas_hpe_runtime.acl.description import ModelDescription, Port, element_count
from atlas_hpe_runtime.acl.memory import DeviceBuffer, allocate, read_array, write_array
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.profiles import Profile
from atlas_hpe_runtime.acl.tensors import DeviceTensor, check_alive

__all__ = ["Feed", "Slot"]

Feed = Union[np.ndarray, DeviceTensor]
Shape = Tuple[int, ...]


class Slot:
    """Input and output buffers, the two datasets that name them, and a stream.

    Not for several threads at once: the session sees to it that one frame uses a slot at a time.

    Attributes:
        stream: Its stream; nothing but this slot's frames is on it.
        event: An event, for those who must wait for this slot on the device.
        inputs: The dataset of the inputs.
        outputs: The dataset of the outputs.
        generation: How many frames have used it.
    """

    def __init__(self, stack: ExitStack, owner: DeviceOwner, model: ModelDescription) -> None:
        self._owner = owner
        self._acl = owner.acl
        self._model = model
        acl = self._acl
        self.stream = acquire(stack, acl, "rt.create_stream", undo="rt.destroy_stream")
        self.event = acquire(stack, acl, "rt.create_event", undo="rt.destroy_event")
        ports = [*model.inputs, *([model.shape_input] if model.shape_input else [])]
        ports.sort(key=lambda port: port.index)
        self._input_memory = [allocate(stack, owner, port.size_bytes) for port in ports]
        self._output_memory = [allocate(stack, owner, port.size_bytes) for port in model.outputs]
        self.inputs, self._input_buffers = _dataset(stack, acl, self._input_memory)
        self.outputs, _ = _dataset(stack, acl, self._output_memory)
        self._bound = list(self._input_memory)
        self._staging: Dict[int, np.ndarray] = {}
        self._profile: Optional[Profile] = None
        self.generation = 0
        stack.callback(self._retire)
        # Whatever happened before: no memory goes while the device may still be at it.
        stack.callback(acl.release, "rt.synchronize_stream", self.stream)

    def bring(self, feeds: Sequence[Feed], profile: Profile) -> None:
        """Put the inputs of a frame, one per input of the model, where the model reads them.

        Raises:
            SessionError: A device tensor can't be used as it lies there.
            DeviceError: A call failed.
        """
        for port, feed, shape in zip(self._model.inputs, feeds, profile.shapes):
            own = self._input_memory[port.index]
            if isinstance(feed, DeviceTensor):
                self._bind(port.index, _usable(feed, port, shape, self._owner))
                continue
            self._bind(port.index, own)
            write_array(self._owner, own, self._whole(port, feed, shape))

    def choose(self, model_id: int, profile: Profile) -> None:
        """Tell the model which profile this slot's next frame has; a static one needs no telling.

        Raises:
            DeviceError: The call failed.
        """
        place = self._model.shape_input
        if profile.setting is None or place is None or profile is self._profile:
            return
        self._profile = None
        call, *args = profile.setting
        self._acl.call(str(call), model_id, self.inputs, place.index, *args)
        self._profile = profile

    def take(self, shapes: Sequence[Shape]) -> Dict[str, np.ndarray]:
        """Copy the outputs into new arrays.

        Args:
            shapes: Shape of each output; the arrays may be the first part of what lies there.

        Raises:
            DeviceError: A copy failed.
        """
        taken = {}
        for port, memory, shape in zip(self._model.outputs, self._output_memory, shapes):
            array = np.empty(shape, port.spec.dtype)
            read_array(self._owner, memory.pointer, array)
            taken[port.spec.name] = array
        return taken

    def show(self, shapes: Sequence[Shape], generation: int) -> Dict[str, DeviceTensor]:
        """The outputs of the frame of that generation where they lie, until the slot's next."""
        shown = {}
        for port, memory, shape in zip(self._model.outputs, self._output_memory, shapes):
            spec = TensorSpec(port.spec.name, tuple(shape), port.spec.dtype, port.spec.layout)
            size = element_count(spec.shape) * np.dtype(spec.dtype).itemsize
            shown[spec.name] = DeviceTensor(
                memory.pointer, size, spec, self, self._owner, generation
            )
        return shown

    def holds(self, tensor: DeviceTensor) -> bool:
        """Whether no frame has used the slot since it gave the tensor."""
        return tensor.generation == self.generation

    def _retire(self) -> None:
        """The memory goes: tensors that were shown are gone with it."""
        self.generation = -1

    def _bind(self, index: int, memory: DeviceBuffer) -> None:
        if self._bound[index] != memory:
            self._bound[index] = DeviceBuffer(0, 0)
            buffer = self._input_buffers[index]
            self._acl.call("update_data_buffer", buffer, memory.pointer, memory.size_bytes)
            self._bound[index] = memory

    def _whole(self, port: Port, array: np.ndarray, shape: Shape) -> np.ndarray:
        """The array itself, or a contiguous copy padded with zeros at the end of each axis."""
        if array.shape == shape and array.flags.c_contiguous:
            return array
        _check_padding(port, array.shape, shape)
        room = self._staging.get(port.index)
        if room is None:
            room = self._staging[port.index] = np.empty(port.size_bytes, np.uint8)
        count = element_count(shape) * array.itemsize
        view: np.ndarray = room[:count].view(array.dtype).reshape(shape)
        if array.shape != shape:
            view.fill(0)
        view[tuple(slice(size) for size in array.shape)] = array
        return view


def _dataset(stack: ExitStack, acl: Acl, memories: Sequence[DeviceBuffer]) -> Tuple[int, List[int]]:
    dataset = acquire(stack, acl, "mdl.create_dataset", undo="mdl.destroy_dataset")
    buffers = []
    for memory in memories:
        buffer = acquire(
            stack,
            acl,
            "create_data_buffer",
            memory.pointer,
            memory.size_bytes,
            undo="destroy_data_buffer",
        )
        acl.call("mdl.add_dataset_buffer", dataset, buffer)
        buffers.append(buffer)
    return dataset, buffers


def _check_padding(port: Port, have: Shape, want: Shape) -> None:
    """The planes of NV12 follow each other, so rows and columns can't just be added."""
    spec = port.spec
    in_planes = spec.dtype == "uint8" and spec.layout == "NHWC" and want[-1:] == (1,)
    if in_planes and have[1:] != want[1:]:
        raise SessionError(
            f"the picture for input '{spec.name}' has none of the model's sizes",
            why=f"it is {list(have)}, the smallest profile that fits is {list(want)}, and NV12 "
            "can't be padded",
            fix="resize or crop the picture to that size",
        )


def _usable(tensor: DeviceTensor, port: Port, shape: Shape, owner: DeviceOwner) -> DeviceBuffer:
    """The tensor's memory as an input, as far as the model may read it."""
    check_alive(tensor)
    if tensor.device is not owner:
        raise SessionError(
            f"the device tensor for input '{port.spec.name}' lies on another device",
            why=f"it lies on device {tensor.device.device}, the session's is {owner.device}",
            fix="open both sessions on one device, or copy it with read_tensor()",
        )
    needed = element_count(shape) * tensor.dtype.itemsize
    if tensor.shape != shape or tensor.size_bytes < needed:
        raise SessionError(
            f"the device tensor for input '{port.spec.name}' is smaller than the profile",
            why=f"it is {list(tensor.shape)}, the smallest profile that fits is {list(shape)}",
            fix="make it of the shape of a profile; only host arrays are padded",
        )
    return DeviceBuffer(tensor.pointer, needed)
