"""What an .om file says about itself, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple, Union

__all__ = [
    "AippValue",
    "OmAipp",
    "OmHeader",
    "OmModel",
    "OmPartition",
    "OmProfiles",
    "OmSummary",
    "OmTensor",
]

AippValue = Union[bool, int, float, str]


@dataclass(frozen=True)
class OmHeader:
    """The 256 bytes at the start of the file (ascend.md section 6.1).

    Attributes:
        name: Model name, cut to 32 bytes by the compiler.
        version: ``0x10000000`` or ``0x20000000``.
        length_bytes: What the header says comes after it; whichever of its two fields is set.
        table: ``"32-bit"`` or ``"64-bit"``: the form of the partition tables.
        model_type: ``"ir"`` for what atc writes; see section 6.1 for the others.
        online: Written by the online mode of the compiler.
        encrypted: The partitions can't be read.
        has_checksum: The header claims a checksum.
        dynamic_shape: The model has an unknown shape (``is_unknown_model``).
        model_num: How many models the header counts; 1 in old files.
        platform_version: Version of the chip's platform, mostly empty.
        ir_version: ``om_ir_version``.
        file_bytes: Size of the whole file.
    """

    name: str
    version: int
    length_bytes: int
    table: str
    model_type: str
    online: bool
    encrypted: bool
    has_checksum: bool
    dynamic_shape: bool
    model_num: int
    platform_version: str
    ir_version: int
    file_bytes: int


@dataclass(frozen=True)
class OmPartition:
    """One entry of a partition table (ascend.md section 6.2).

    Attributes:
        kind: Name of its type, for example ``"MODEL_DEF"``; ``"type 99"`` when it has none.
        number: The type as it stands in the file.
        offset: First byte, counted from the start of the file.
        size_bytes: Its size.
    """

    kind: str
    number: int
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class OmAipp:
    """AIPP on one input (ascend.md section 4).

    Attributes:
        mode: ``"static"``, ``"dynamic"``, ``"parameters"`` for the further input that takes the
            settings of dynamic AIPP, or ``"unknown"`` where the file does not say which.
        settings: Names as in the compiler's config file -> value; empty where the attribute
            holds none. ``input_format`` is a name ("YUV420SP_U8").
    """

    mode: str
    settings: Mapping[str, AippValue] = field(default_factory=dict)


@dataclass(frozen=True)
class OmTensor:
    """One input or output as the device sees it.

    Attributes:
        name: Its name; for an output the compiler's ``node:index``, where the file has it.
        dtype: NumPy name of the element type, ``"unknown"`` when the file names none.
        format: ``"NCHW"``, ``"NHWC"``, ``"ND"``, ...; empty when the file names none.
        shape: -1 marks an axis that a profile or the program fills.
        size_bytes: Shape times element size, or what the file says where an axis is open; None
            when neither is known.
        aipp: AIPP on this input.
    """

    name: str
    dtype: str
    format: str
    shape: Tuple[int, ...]
    size_bytes: Optional[int] = None
    aipp: Optional[OmAipp] = None


@dataclass(frozen=True)
class OmProfiles:
    """The sizes that a dynamic model was compiled for.

    Attributes:
        kind: ``"batch"``, ``"image size"`` (height, width) or ``"dims"``.
        values: What each profile fills in.
    """

    kind: str
    values: Tuple[Tuple[int, ...], ...]


@dataclass(frozen=True)
class OmModel:
    """One model of the file.

    Attributes:
        name: Name in its definition.
        partitions: Its partitions, in order of the table.
        inputs: What a program feeds, in order.
        outputs: What comes out, in order.
        operators: Operator type -> number, after the compiler's fusions.
        soc: ``soc_version``; None in very old files.
        atc_version: Version of the compiler.
        opp_version: Version of the operator package.
        cann_version: Release named by the compiler's path in the command line.
        atc_command: The command line it was compiled with.
        framework: What the compiler read, for example ``"Onnx"``.
        target: ``target_type``, for example ``"MINI"``.
        weights_bytes: Weights in the file.
        memory_bytes: Device memory that the model works in, besides the weights.
        profiles: Sizes of a dynamic model; None for a static one.
    """

    name: str
    partitions: Tuple[OmPartition, ...]
    inputs: Tuple[OmTensor, ...] = ()
    outputs: Tuple[OmTensor, ...] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    soc: Optional[str] = None
    atc_version: Optional[str] = None
    opp_version: Optional[str] = None
    cann_version: Optional[str] = None
    atc_command: Optional[str] = None
    framework: Optional[str] = None
    target: Optional[str] = None
    weights_bytes: int = 0
    memory_bytes: Optional[int] = None
    profiles: Optional[OmProfiles] = None


@dataclass(frozen=True)
class OmSummary:
    """An .om file; almost all of them hold one model.

    Attributes:
        header: The file's header.
        models: Its models, in order.
    """

    header: OmHeader
    models: Tuple[OmModel, ...]
