"""The card's JSON form: written from the dataclasses, read back with exact messages.

The published schema, ``card.schema.json``, says the same for programs in other languages; a test
holds the two together.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, replace
from typing import Callable, Dict, List, Mapping, NoReturn, Optional, Tuple, TypeVar

from atlas_hpe.card.spec import (
    CARD_VERSION,
    INPUT_FORMS,
    AippInput,
    BuildRecord,
    DecodeSpec,
    GraphSpec,
    ModelCard,
    PreprocessSpec,
    Provenance,
    TensorSpec,
)
from atlas_hpe.errors import CardError
from atlas_hpe.hands import NUM_JOINTS

__all__ = ["build_from_value", "card_from_json", "card_to_json"]

T = TypeVar("T")

TASKS = ("hand-2d", "hand-3d", "two-hands-3d", "depth-hand-3d", "hand-detect")
DTYPES = ("float32", "float16", "int32", "int64", "uint8", "int8", "bool")
LAYOUTS = ("NCHW", "NHWC", "ND")
YUV_FORMS = ("nv12", "nv21")
YUV_MATRICES = ("bt601-narrow", "bt601-wide", "bt709-narrow", "bt709-wide")
MAX_PADDING_PX = 32  # ascend.md section 4.1


def card_to_json(card: ModelCard) -> str:
    """The card as JSON text: sorted keys, two spaces, a final line break."""
    return json.dumps(asdict(card), indent=2, sort_keys=True, allow_nan=False) + "\n"


def card_from_json(text: str, where: str) -> ModelCard:
    """Read a card.

    Args:
        text: JSON text.
        where: File it came from, for messages.

    Raises:
        CardError: Not JSON, a version this release does not read, or a value that does not follow
            the schema; the message holds the path of the value.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CardError("the model card is not JSON", where=where, why=str(error)) from error
    return _read_card(_Node(document, "card", where))


def build_from_value(value: object, where: str) -> BuildRecord:
    """Read a build record on its own, as the cache of compiled models keeps it.

    Args:
        value: What was read from JSON.
        where: File it came from, for messages.

    Raises:
        CardError: A value that does not follow the schema.
    """
    return _read_build(_Node(value, "build", where))


def _refuse_constant(constant: str) -> NoReturn:
    """NaN and Infinity: Python's reader takes them, JSON has no such numbers."""
    raise ValueError(f"{constant} is not a JSON number")


class _Node:
    """A JSON value together with its path, read field by field.

    Numbers follow JSON Schema: 2.0 is an integer, True is not a number.
    """

    def __init__(self, value: object, path: str, where: str) -> None:
        self.value = value
        self.path = path
        self.where = where

    def fail(self, expected: str) -> NoReturn:
        """Raise the error of this value."""
        raise CardError(
            "the model card does not follow its schema",
            where=f"{self.where}, {self.path}",
            why=f"must be {expected}, found {_shorten(self.value)}",
            fix="export the model again, or correct the card by card.schema.json",
        )

    def fields(self, required: Tuple[str, ...], optional: Tuple[str, ...]) -> Dict[str, _Node]:
        """The members of an object; unknown and missing ones are errors."""
        value = self.value
        if not isinstance(value, dict):
            self.fail("an object")
        for key in required:
            if key not in value:
                self.fail(f"an object with the member '{key}'")
        for key in value:
            if key not in required + optional:
                self.fail(f"an object without the unknown member '{key}'")
        return {key: _Node(item, f"{self.path}.{key}", self.where) for key, item in value.items()}

    def items(self, least: int = 0, most: Optional[int] = None) -> List[_Node]:
        """The elements of an array."""
        value = self.value
        if not isinstance(value, list):
            self.fail("an array")
        if len(value) < least or (most is not None and len(value) > most):
            count = f"{least}" if most == least else f"{least} or more"
            count = count if most is None or most == least else f"{least} to {most}"
            self.fail(f"an array of {count} elements")
        return [_Node(item, f"{self.path}[{i}]", self.where) for i, item in enumerate(value)]

    def text(self) -> str:
        """A string that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            self.fail("a string that is not empty")
        return self.value

    def switch(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.fail("true or false")
        return self.value

    def choice(self, options: Tuple[str, ...]) -> str:
        """One of the given strings."""
        if not isinstance(self.value, str) or self.value not in options:
            self.fail("one of " + ", ".join(options))
        return self.value

    def number(self, above: float = -math.inf) -> float:
        """A finite number."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail("a number")
        # Compared exactly: math.isfinite raises on an integer that no float holds. NaN fails too.
        if not abs(value) <= sys.float_info.max:
            self.fail("a number that a 64-bit float holds")
        if value <= above:
            self.fail(f"a number above {above:g}")
        return float(value)

    def integer(self, least: int, most: Optional[int] = None) -> int:
        """An integer of at least ``least`` and at most ``most``."""
        value = self.value
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole or value < least:  # type: ignore[operator]
            self.fail(f"an integer of at least {least}")
        if most is not None and value > most:  # type: ignore[operator]
            self.fail(f"an integer of at most {most}")
        return int(value)  # type: ignore[call-overload, no-any-return]

    def mapping(self, read: Callable[[_Node], T]) -> Dict[str, T]:
        """An object with free keys and values of one kind."""
        value = self.value
        if not isinstance(value, dict):
            self.fail("an object")
        return {
            key: read(_Node(item, f"{self.path}.{key}", self.where)) for key, item in value.items()
        }

    def or_none(self, read: Callable[[_Node], T]) -> Optional[T]:
        """None for null, else the value."""
        return None if self.value is None else read(self)


def _read_card(node: _Node) -> ModelCard:
    version = node.value.get("card_version") if isinstance(node.value, dict) else None
    if version != CARD_VERSION or isinstance(version, bool):
        raise CardError(
            "the model card has a version that this release does not read",
            where=f"{node.where}, card.card_version",
            why=f"found {_shorten(version)}, this release reads {CARD_VERSION}",
            fix="use the atlas-hpe release that wrote the card, or export the model again",
        )
    fields = node.fields(
        ("card_version", "name", "task", "graphs", "preprocess", "decode", "provenance"),
        ("skeleton", "joint_order"),
    )
    card = ModelCard(
        name=fields["name"].text(),
        task=fields["task"].choice(TASKS),
        graphs=tuple(_read_graph(item) for item in fields["graphs"].items(least=1)),
        preprocess=_read_preprocess(fields["preprocess"]),
        decode=_read_decode(fields["decode"]),
        provenance=_read_provenance(fields["provenance"]),
    )
    if "skeleton" in fields:
        fields["skeleton"].choice(("hand21",))
    if "joint_order" in fields:
        items = fields["joint_order"].items(NUM_JOINTS, NUM_JOINTS)
        order = tuple(item.integer(0) for item in items)
        card = replace(card, joint_order=order)
    return card


def _read_tensor(node: _Node) -> TensorSpec:
    fields = node.fields(("name", "shape", "dtype"), ("layout",))
    return TensorSpec(
        name=fields["name"].text(),
        shape=tuple(item.integer(1) for item in fields["shape"].items()),
        dtype=fields["dtype"].choice(DTYPES),
        layout=fields["layout"].choice(LAYOUTS) if "layout" in fields else "ND",
    )


def _read_graph(node: _Node) -> GraphSpec:
    fields = node.fields(("name", "inputs", "outputs"), ("file",))
    return GraphSpec(
        name=fields["name"].text(),
        inputs=tuple(_read_tensor(item) for item in fields["inputs"].items(least=1)),
        outputs=tuple(_read_tensor(item) for item in fields["outputs"].items(least=1)),
        file=fields["file"].or_none(_Node.text) if "file" in fields else None,
    )


def _read_preprocess(node: _Node) -> PreprocessSpec:
    fields = node.fields(
        ("width_px", "height_px", "colour", "fit", "mean", "std"),
        ("crop_scale", "max_tilt_deg", "border", "layout", "dtype", "where", "aipp"),
    )

    def chosen(key: str, options: Tuple[str, ...], default: str) -> str:
        return fields[key].choice(options) if key in fields else default

    colour = fields["colour"].choice(("rgb", "bgr", "gray"))
    channels = 1 if colour == "gray" else 3
    crop_scale = PreprocessSpec.crop_scale
    where = chosen("where", ("host", "graph", "aipp"), PreprocessSpec.where)
    aipp = fields["aipp"].or_none(_read_aipp) if "aipp" in fields else None
    if where == "aipp" and aipp is None:
        node.fail("an object whose 'aipp' says what is fed, as 'where' is aipp")
    if where == "host" and aipp is not None:
        node.fail("an object without 'aipp', or one whose 'where' is aipp or graph")
    return PreprocessSpec(
        width_px=fields["width_px"].integer(1),
        height_px=fields["height_px"].integer(1),
        colour=colour,
        fit=fields["fit"].choice(("stretch", "letterbox", "crop")),
        mean=tuple(item.number() for item in fields["mean"].items(channels, channels)),
        std=tuple(item.number(above=0) for item in fields["std"].items(channels, channels)),
        crop_scale=fields["crop_scale"].number(above=0) if "crop_scale" in fields else crop_scale,
        border=chosen("border", ("replicate", "mean"), PreprocessSpec.border),
        layout=chosen("layout", ("NCHW", "NHWC"), PreprocessSpec.layout),
        dtype=chosen("dtype", DTYPES, PreprocessSpec.dtype),
        where=where,
        aipp=aipp,
        max_tilt_deg=fields["max_tilt_deg"].or_none(_read_tilt)
        if "max_tilt_deg" in fields
        else None,
    )


def _read_tilt(node: _Node) -> float:
    return node.number(above=0)


def _read_aipp(node: _Node) -> AippInput:
    fields = node.fields(("form", "width_px", "height_px"), ("matrix", "crop", "padding"))
    form = fields["form"].choice(INPUT_FORMS)
    matrix = None
    if form in YUV_FORMS:
        if "matrix" not in fields:
            node.fail(f"an object with the member 'matrix', as the form is {form}")
        matrix = fields["matrix"].choice(YUV_MATRICES)
    elif "matrix" in fields and fields["matrix"].value is not None:
        fields["matrix"].fail(f"null, as the form is {form}")
    return AippInput(
        form=form,
        width_px=fields["width_px"].integer(1),
        height_px=fields["height_px"].integer(1),
        matrix=matrix,
        crop=fields["crop"].or_none(_read_crop) if "crop" in fields else None,
        padding=_read_padding(fields["padding"]) if "padding" in fields else AippInput.padding,
    )


def _read_crop(node: _Node) -> Tuple[int, int, int, int]:
    left, top, width, height = node.items(4, 4)
    return left.integer(0), top.integer(0), width.integer(1), height.integer(1)


def _read_padding(node: _Node) -> Tuple[int, int, int, int]:
    left, right, top, bottom = (item.integer(0, MAX_PADDING_PX) for item in node.items(4, 4))
    return left, right, top, bottom


def _read_decode(node: _Node) -> DecodeSpec:
    fields = node.fields(("kind", "outputs"), ("options", "where"))
    return DecodeSpec(
        kind=fields["kind"].text(),
        outputs=fields["outputs"].mapping(_Node.text),
        options=fields["options"].mapping(_Node.number) if "options" in fields else {},
        where=fields["where"].choice(("host", "graph")) if "where" in fields else "host",
    )


def _read_provenance(node: _Node) -> Provenance:
    optional_texts = (
        "checkpoint",
        "checkpoint_sha256",
        "licence",
        "frontend",
        "graph_sha256",
        "soc",
        "atc_command",
    )
    lists = ("attribution", "rewrites", "refused")
    text_maps = ("options", "tools")
    fields = node.fields(
        ("network",), (*optional_texts, *lists, *text_maps, "opset", "precision", "parity", "build")
    )
    values: Dict[str, object] = {"network": fields["network"].text()}
    for key in optional_texts:
        if key in fields:
            values[key] = fields[key].or_none(_Node.text)
    for key in lists:
        if key in fields:
            values[key] = tuple(item.text() for item in fields[key].items())
    if "opset" in fields:
        values["opset"] = fields["opset"].or_none(lambda item: item.integer(1))
    for key in text_maps:
        if key in fields:
            values[key] = fields[key].mapping(_Node.text)
    if "precision" in fields:
        values["precision"] = fields["precision"].choice(DTYPES)
    if "parity" in fields:
        values["parity"] = fields["parity"].mapping(_Node.number)
    if "build" in fields:
        values["build"] = fields["build"].or_none(_read_build)
    return Provenance(**values)  # type: ignore[arg-type]


def _read_build(node: _Node) -> BuildRecord:
    texts = ("compiler", "onnx_sha256", "om_sha256", "host")
    fields = node.fields((*texts, "simulated", "options", "duration_s", "peak_memory_mb"), ())
    return BuildRecord(
        simulated=fields["simulated"].switch(),
        options=fields["options"].mapping(_Node.text),
        duration_s=fields["duration_s"].number(),
        peak_memory_mb=fields["peak_memory_mb"].or_none(_Node.number),
        **{key: fields[key].text() for key in texts},
    )


def _shorten(value: object) -> str:
    if isinstance(value, (Mapping, list)):
        kind = "an object" if isinstance(value, Mapping) else "an array"
        return f"{kind} of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
