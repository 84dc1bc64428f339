"""The parts of a model card, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple

from atlas_hpe.hands import NUM_JOINTS

__all__ = [
    "CARD_VERSION",
    "INPUT_FORMS",
    "AippInput",
    "BuildRecord",
    "DecodeSpec",
    "GraphSpec",
    "ModelCard",
    "PreprocessSpec",
    "Provenance",
    "TensorSpec",
]

#: Version of the JSON form. A reader accepts exactly the versions it knows.
CARD_VERSION = 1

#: Forms in which a picture can be fed to AIPP.
INPUT_FORMS = ("nv12", "nv21", "rgb", "bgr", "xrgb", "gray")


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph.

    Attributes:
        name: Name in the graph.
        shape: Static shape.
        dtype: NumPy name of the element type, for example ``"float32"``.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"ND"``.
    """

    name: str
    shape: Tuple[int, ...]
    dtype: str
    layout: str = "ND"


@dataclass(frozen=True)
class GraphSpec:
    """One graph of a model; most models have exactly one.

    Attributes:
        name: What the graph does, for example ``"pose"``.
        inputs: Its inputs, in order.
        outputs: Its outputs, in order.
        file: File beside the card, None when the card is embedded in the graph's own file.
    """

    name: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    file: Optional[str] = None


@dataclass(frozen=True)
class AippInput:
    """The picture that is fed to a compiled model whose AIPP prepares it.

    Attributes:
        form: One of ``INPUT_FORMS``.
        width_px: Width of the picture that is fed.
        height_px: Height of it.
        matrix: Colours of nv12 and nv21, for example ``"bt601-narrow"``; None for other forms.
        crop: Left, top, width and height of what AIPP cuts out of it; None for all of it.
        padding: Pixels that AIPP adds left, right, top and bottom.
    """

    form: str
    width_px: int
    height_px: int
    matrix: Optional[str] = None
    crop: Optional[Tuple[int, int, int, int]] = None
    padding: Tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class PreprocessSpec:
    """How a picture becomes the network's input.

    ``value = (pixel - mean) / std`` per channel, with pixels in 0..255.

    Attributes:
        width_px: Width of the network's input.
        height_px: Height of the network's input.
        colour: ``"rgb"``, ``"bgr"`` or ``"gray"``: channel order the network expects.
        fit: ``"stretch"`` (the region fills the input), ``"letterbox"`` (aspect kept, the rest is
            border) or ``"crop"`` (the region is a square around the hand's box).
        crop_scale: Side of that square over the longer side of the hand's box.
        max_tilt_deg: How far from upright a hand may stand in the input, either way, in degrees;
            None for any way. Whoever crops has to know it if it can't turn the square, as DVPP.
        border: What lies outside the picture: ``"replicate"`` or ``"mean"``.
        mean: Per channel, 0..255 terms.
        std: Per channel, 0..255 terms.
        layout: ``"NCHW"`` or ``"NHWC"``.
        dtype: NumPy name of the input's element type.
        where: ``"host"``, ``"graph"`` or ``"aipp"``: who applies mean and std. The host delivers
            the colour order, unless AIPP does.
        aipp: The picture that AIPP takes, None without AIPP. Size, colour, layout and dtype stay
            those of the network behind it.
    """

    width_px: int
    height_px: int
    colour: str
    fit: str
    mean: Tuple[float, ...]
    std: Tuple[float, ...]
    crop_scale: float = 1.0
    border: str = "replicate"
    layout: str = "NCHW"
    dtype: str = "float32"
    where: str = "host"
    aipp: Optional[AippInput] = None
    max_tilt_deg: Optional[float] = None


@dataclass(frozen=True)
class DecodeSpec:
    """How the network's outputs become joints.

    Attributes:
        kind: Name of a decoder, for example ``"heatmap-2d"``.
        outputs: Role in the decoder -> name of the graph output.
        options: Numbers the decoder takes, for example ``{"min_mass": 1.0}``.
        where: ``"host"`` or ``"graph"``: where coordinates are computed.
    """

    kind: str
    outputs: Mapping[str, str]
    options: Mapping[str, float] = field(default_factory=dict)
    where: str = "host"


@dataclass(frozen=True)
class BuildRecord:
    """How a graph became what a device runs, or what the simulator runs in its place.

    Attributes:
        compiler: Program and version, for example ``"atc 5.0.4"``.
        simulated: No compiler ran: the file is for the simulator only.
        options: Option of the compiler, without its dashes -> value.
        onnx_sha256: Hash of the ONNX file that was compiled.
        om_sha256: Hash of what came out.
        duration_s: How long it took, in seconds.
        peak_memory_mb: Most memory that the compiler held at once, in MiB; None when unknown.
        host: Where it ran, for example ``"x86_64 Linux"``.
    """

    compiler: str
    simulated: bool
    options: Mapping[str, str]
    onnx_sha256: str
    om_sha256: str
    duration_s: float
    peak_memory_mb: Optional[float]
    host: str


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from and what was done to it.

    Attributes:
        network: Name of the architecture.
        checkpoint: File name of the checkpoint, None when it was built from a module.
        checkpoint_sha256: Hash of that file.
        licence: Licence of the weights, with the limits it sets.
        attribution: Sources that have to be named where the weights go.
        frontend: Exporter that captured the network, None when the graph came as ONNX.
        options: Option of the export -> value, where it was not the default.
        rewrites: Changes of the graph that were applied, in order.
        refused: Changes that did not apply or were undone, each with its reason.
        opset: ONNX opset of the default domain.
        graph_sha256: Hash of the graph and its weights, without the file's metadata.
        tools: Tool -> version used for the export.
        precision: Precision the graph is stored in.
        soc: Target the graph was made for.
        atc_command: Command that compiled the .om, None before.
        parity: Figure -> value measured at export, for example ``{"joint_max_px": 0.001}``.
        build: How it was compiled, None before.
    """

    network: str
    checkpoint: Optional[str] = None
    checkpoint_sha256: Optional[str] = None
    licence: Optional[str] = None
    attribution: Tuple[str, ...] = ()
    frontend: Optional[str] = None
    options: Mapping[str, str] = field(default_factory=dict)
    rewrites: Tuple[str, ...] = ()
    refused: Tuple[str, ...] = ()
    opset: Optional[int] = None
    graph_sha256: Optional[str] = None
    tools: Mapping[str, str] = field(default_factory=dict)
    precision: str = "float32"
    soc: Optional[str] = None
    atc_command: Optional[str] = None
    parity: Mapping[str, float] = field(default_factory=dict)
    build: Optional[BuildRecord] = None


@dataclass(frozen=True)
class ModelCard:
    """Everything needed to run a model without its Python source.

    Attributes:
        name: Name a person would call the model by.
        task: ``"hand-2d"``, ``"hand-3d"``, ``"two-hands-3d"``, ``"depth-hand-3d"`` or
            ``"hand-detect"``.
        graphs: One or several graphs.
        preprocess: Picture to input.
        decode: Outputs to joints.
        provenance: Origin and history.
        skeleton: Always ``"hand21"``.
        joint_order: Native index of each of the 21 joints, see ``hands.to_hand21``.
        card_version: Version of the JSON form.
    """

    name: str
    task: str
    graphs: Tuple[GraphSpec, ...]
    preprocess: PreprocessSpec
    decode: DecodeSpec
    provenance: Provenance
    skeleton: str = "hand21"
    joint_order: Tuple[int, ...] = tuple(range(NUM_JOINTS))
    card_version: int = CARD_VERSION
