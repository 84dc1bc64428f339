"""A model as the simulated device runs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.aipp import AippSettings, AippSpec, apply_aipp
from atlas_hpe.errors import DeviceError, UsageError
from atlas_hpe_runtime.host.library import failure_types
from atlas_hpe_runtime.simulator.mdl.aipp_record import aipp_from_record
from atlas_hpe_runtime.simulator.mdl.ports import Port, Shape, size_of

if TYPE_CHECKING:
    import onnxruntime

__all__ = [
    "DataInput",
    "Profile",
    "Program",
    "picture_spec",
]


@dataclass(frozen=True)
class DataInput:
    """An input of the graph.

    Attributes:
        name: Its name in the graph.
        dtype: NumPy name of its type there.
        shape: Its sizes; -1 where a profile decides.
        aipp: What AIPP does in front of it.
        record: Port that holds the settings of dynamic AIPP, None without it.
        any_size: Static AIPP takes the size of the picture from the profile.
    """

    name: str
    dtype: str
    shape: Shape
    aipp: Optional[AippSettings] = None
    record: Optional[int] = None
    any_size: bool = False


@dataclass(frozen=True)
class Profile:
    """One choice of the free axes; a static model has exactly one.

    Attributes:
        values: What fills the free axes.
        inputs: Shape of each input of the graph.
        outputs: Shape of each output.
        input_sizes: Bytes that each port needs; 0 where dynamic AIPP decides.
        output_sizes: Bytes of each output.
    """

    values: Shape
    inputs: Tuple[Shape, ...]
    outputs: Tuple[Shape, ...]
    input_sizes: Tuple[int, ...]
    output_sizes: Tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A loaded model; it has no state, so threads may share it.

    Attributes:
        data: Inputs of the graph; they are the first ports.
        inputs: All inputs that the program has to feed, hidden ones last.
        outputs: Outputs.
        profiles: By what they fill in.
        largest: What runs where nothing was chosen.
        kind: ``"batch"``, ``"image size"``, ``"dims"``, or ``""`` for a static model.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"ND"``.
        weight_bytes: Memory for weights.
        work_bytes: An estimate of the memory for values between nodes.
        engine: What computes.
    """

    data: Tuple[DataInput, ...]
    inputs: Tuple[Port, ...]
    outputs: Tuple[Port, ...]
    profiles: Dict[Shape, Profile]
    largest: Profile
    kind: str
    layout: str
    weight_bytes: int
    work_bytes: int
    engine: onnxruntime.InferenceSession

    @property
    def choice_port(self) -> Optional[int]:
        """The hidden input that chooses a profile; it is the last one."""
        return len(self.inputs) - 1 if self.kind else None

    def chosen(self, buffer: np.ndarray) -> Profile:
        """The profile that the bytes of the hidden input name, else the largest one."""
        values = buffer[: self.inputs[-1].size].view("<i8").tolist()
        return self.profiles.get(tuple(values), self.largest)

    def run(self, profile: Profile, buffers: Sequence[np.ndarray]) -> List[np.ndarray]:
        """Compute.

        Args:
            profile: Sizes to run with.
            buffers: Bytes of each port, uint8, at least as long as the profile needs.

        Returns:
            The outputs, of the types of their ports.

        Raises:
            UsageError: Settings of dynamic AIPP that do not fit the model or the picture.
            DeviceError: ONNX Runtime failed, or an output has another size than it should.
        """
        feeds = {}
        for index, (source, shape) in enumerate(zip(self.data, profile.inputs)):
            port, buffer = self.inputs[index], buffers[index]
            if source.aipp is not None:
                record = None if source.record is None else buffers[source.record]
                values = self._see_pictures(source, shape, buffer, record)
            else:
                values = buffer[: profile.input_sizes[index]]
                # Any byte but 0 is true; NumPy's own bool has no other bytes than 0 and 1.
                values = values != 0 if port.dtype == "bool" else values.view(port.dtype)
                values = values.reshape(shape)
            feeds[source.name] = values.astype(source.dtype, copy=False)
        try:
            arrays = self.engine.run(None, feeds)
        except failure_types() as error:
            raise DeviceError("the model failed", why=str(error).strip()) from error
        with np.errstate(over="ignore"):  # what float16 can't hold is infinite
            outputs = [
                array.astype(port.dtype, copy=False) for array, port in zip(arrays, self.outputs)
            ]
        for array, port, size in zip(outputs, self.outputs, profile.output_sizes):
            if array.nbytes != size:
                raise DeviceError(f"'{port.name}' has {array.nbytes} bytes, not {size}")
        return outputs

    def _see_pictures(
        self, source: DataInput, shape: Shape, buffer: np.ndarray, record: Optional[np.ndarray]
    ) -> np.ndarray:
        """What AIPP makes of a batch of pictures that lie one after the other."""
        batch, start = [], 0
        nhwc = self.layout == "NHWC"
        for index in range(shape[0]):
            spec = picture_spec(source, shape, self.layout, record, index)
            size = size_of(spec.buffer_shape, "uint8")
            if start + size > buffer.size:
                raise UsageError(f"{shape[0]} pictures need more than {buffer.size} bytes")
            values = apply_aipp(buffer[start : start + size], spec)
            batch.append(values.transpose(0, 2, 3, 1) if nhwc else values)
            start += size
        pictures = np.concatenate(batch)
        if pictures.shape != shape:
            raise UsageError(f"AIPP makes {list(pictures.shape)}, the model takes {list(shape)}")
        return pictures


def picture_spec(
    source: DataInput,
    shape: Shape,
    layout: str,
    record: Optional[np.ndarray] = None,
    index: int = 0,
) -> AippSpec:
    """The settings of AIPP for one picture.

    Args:
        source: The input of the graph.
        shape: Its shape in the profile that runs.
        layout: ``"NCHW"`` or ``"NHWC"``.
        record: The memory with the settings of dynamic AIPP.
        index: Position of the picture in the batch.

    Raises:
        UsageError: No settings, or impossible ones.
    """
    height, width, channels = shape[1:] if layout == "NHWC" else (*shape[2:], shape[1])
    aipp = source.aipp
    if isinstance(aipp, AippSpec):
        if source.any_size:
            return replace(aipp, src_width_px=width, src_height_px=height)
        return aipp
    if record is None:
        raise UsageError("dynamic AIPP has no settings for this picture")
    return aipp_from_record(record, index, channels)
