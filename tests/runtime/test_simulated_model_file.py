"""The file that stands for an .om: it comes back as it was written, and no byte is trusted."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_onnx
from atlas_hpe.aipp import AippSpec, DynamicAipp, aipp_spec, choose_aipp_input
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import InputError, ModelFileError, OutputError, UsageError
from atlas_hpe_runtime.simulator.model_file import (
    MARKER,
    load_simulated_model,
    read_simulated_model,
    write_simulated_model,
)
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

ONNX = tiny_onnx.hand_model()
PREPROCESS = PreprocessSpec(16, 16, "rgb", "crop", (123.7, 116.3, 103.5), (58.4, 57.1, 57.4))
NV12 = aipp_spec(PREPROCESS, choose_aipp_input(PREPROCESS, "nv12"))
FULL = replace(NV12, crop=(2, 4, 10, 12), padding=(1, 2, 3, 4), padding_value=-0.5)
MODELS = {
    "plain": SimulatedModel(ONNX),
    "aipp": SimulatedModel(ONNX, aipp={"image": FULL, "other": DynamicAipp(1 << 20)}),
    "batch": SimulatedModel(
        ONNX,
        soc="Ascend310P3",
        precision="fp32",
        input_shapes={"image": (-1, 3, 16, 16)},
        dynamic_batch=(1, 2, 8),
    ),
    "image size": SimulatedModel(
        ONNX,
        input_format="NHWC",
        input_shapes={"image": (1, -1, -1, 3)},
        dynamic_image_size=((32, 64), (64, 32)),
    ),
    "dims": SimulatedModel(
        ONNX,
        input_format="ND",
        input_shapes={"image": (-1, 3, -1), "mask": (-1,)},
        dynamic_dims=((1, 2, 3), (4, 5, 6)),
        fp16_inputs=("image",),
        output_dtypes={"joints": "float16", "ids": "int64"},
    ),
}


def written(tmp_path: Path, model: SimulatedModel) -> bytes:
    write_simulated_model(tmp_path / "model.om", model)
    return (tmp_path / "model.om").read_bytes()


def rewrite(content: bytes, change: Callable[[Dict[str, object]], None]) -> bytes:
    start = len(MARKER) + 4
    size = struct.unpack_from("<I", content, len(MARKER))[0]
    header = json.loads(content[start : start + size].decode())
    change(header)
    text = json.dumps(header).encode()
    return MARKER + struct.pack("<I", len(text)) + text + content[start + size :]


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_as_it_was_written(kind: str, tmp_path: Path) -> None:
    content = written(tmp_path, MODELS[kind])
    assert read_simulated_model(content) == MODELS[kind]
    assert load_simulated_model(tmp_path / "model.om") == MODELS[kind]
    assert b"no .om, runs on the simulator only" in content[:80]
    assert content.endswith(ONNX)


def test_a_plain_onnx_file_is_a_model_without_options() -> None:
    assert read_simulated_model(ONNX) == SimulatedModel(ONNX)


def test_a_real_om_is_refused_by_name() -> None:
    with pytest.raises(ModelFileError, match="compiled for a real device"):
        read_simulated_model(b"IMOD" + bytes(252), "net.om")


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    first = written(tmp_path, MODELS["plain"])
    with pytest.raises(OutputError):
        written(tmp_path, MODELS["aipp"])
    assert (tmp_path / "model.om").read_bytes() == first
    write_simulated_model(tmp_path / "model.om", MODELS["aipp"], force=True)
    assert load_simulated_model(tmp_path / "model.om") == MODELS["aipp"]


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_simulated_model(tmp_path / "none.om")


CUTS = [len(MARKER) - 3, len(MARKER), len(MARKER) + 2, len(MARKER) + 9]


@pytest.mark.parametrize("size", [*CUTS, -1])
def test_a_cut_file_is_refused(size: int, tmp_path: Path) -> None:
    content = written(tmp_path, MODELS["aipp"])
    with pytest.raises(ModelFileError, match=r"damaged[\s\S]*(release|ends|header|SHA-256)"):
        read_simulated_model(content[:size])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_is_refused_or_leaves_the_graph_alone(data: st.DataObject) -> None:
    content = bytearray(_CONTENT)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        model = read_simulated_model(bytes(content), "net.om")
    except ModelFileError as error:
        assert "net.om" in str(error)
        return
    # It is still a header, perhaps with a tab for a space, or the marker is gone.
    assert model.onnx == ONNX or model == SimulatedModel(bytes(content))


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_behind_the_marker_are_refused(tail: bytes) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        read_simulated_model(MARKER + tail)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_in_the_header_is_a_model_or_one_error(data: st.DataObject) -> None:
    def change(header: Dict[str, object]) -> None:
        target = header
        key = data.draw(st.sampled_from(sorted(header)))
        if key == "aipp" and data.draw(st.booleans()):
            target = header["aipp"]["image"]  # type: ignore[index, assignment]
            key = data.draw(st.sampled_from(sorted(target)))
            if key == "csc" and data.draw(st.booleans()):
                target = target["csc"]  # type: ignore[assignment]
                key = data.draw(st.sampled_from(sorted(target)))
        target[key] = data.draw(JSON)

    try:
        read_simulated_model(rewrite(_CONTENT, change), "net.om")
    except ModelFileError as error:
        assert "net.om" in str(error)


def test_a_header_is_not_longer_than_any_that_is_written(tmp_path: Path) -> None:
    size = struct.unpack_from("<I", _CONTENT, len(MARKER))[0]
    start = len(MARKER) + 4
    header = _CONTENT[start : start + size] + b" " * (1 << 18)
    content = MARKER + struct.pack("<I", len(header)) + header + _CONTENT[start + size :]
    with pytest.raises(ModelFileError, match="a header of"):
        read_simulated_model(content)
    model = SimulatedModel(ONNX, fp16_inputs=("x" * (1 << 18),))
    with pytest.raises(ModelFileError, match="more settings"):
        write_simulated_model(tmp_path / "model.om", model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("mean", [True, 1, 2]),
        ("src_width_px", 1 << 64),
        ("minimum", [10**400, 0, 0]),
        ("minimum", [False, 0, 0]),
        ("ax_swap", 0),
        ("crop", [0, 0, 4]),
    ],
)
def test_a_number_in_the_header_is_of_its_kind(member: str, value: object) -> None:
    def change(header: Dict[str, object]) -> None:
        header["aipp"]["image"][member] = value  # type: ignore[index]

    with pytest.raises(ModelFileError, match="damaged"):
        read_simulated_model(rewrite(_CONTENT, change))


def test_a_deeply_nested_header_is_one_error() -> None:
    text = b"[" * 100_000
    with pytest.raises(ModelFileError, match="damaged"):
        read_simulated_model(MARKER + struct.pack("<I", len(text)) + text)


@pytest.mark.parametrize("member", ["extra", "soc"])
def test_members_are_exactly_the_known_ones(member: str) -> None:
    def change(header: Dict[str, object]) -> None:
        if header.pop(member, None) is None:
            header[member] = 1

    with pytest.raises(ModelFileError, match=f"members it should.*{member}"):
        read_simulated_model(rewrite(_CONTENT, change))


def container(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("model"), MODELS["aipp"])


@pytest.fixture(scope="module", autouse=True)
def _content(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _CONTENT
    _CONTENT = container(tmp_path_factory)


_CONTENT = b""
SHAPE = {"image": (-1, 3, 16, 16)}
BOTH = {"dynamic_batch": (1, 2), "dynamic_image_size": ((1, 1), (2, 2))}


@pytest.mark.parametrize(
    ("settings_", "text"),
    [
        ({"soc": "310"}, "no chip"),
        ({"precision": "int8"}, "precision"),
        ({"input_format": "CHW"}, "input_format"),
        ({"output_dtypes": {"y": "bfloat16"}}, "type of 'y'"),
        ({"input_shapes": {"image": (0, 3)}}, "no size and not -1"),
        ({"input_shapes": SHAPE}, "go with dynamic profiles"),
        ({"dynamic_batch": (1, 2)}, "go with dynamic profiles"),
        ({"input_shapes": SHAPE, **BOTH}, "exclude each other"),
        ({"input_shapes": SHAPE, "dynamic_batch": (4,)}, "2 to 100 profiles"),
        ({"input_shapes": SHAPE, "dynamic_batch": tuple(range(1, 102))}, "2 to 100 profiles"),
        ({"input_shapes": SHAPE, "dynamic_batch": (4, 4)}, "all different"),
        ({"input_shapes": SHAPE, "dynamic_batch": (0, 4)}, "above 0"),
        ({"input_shapes": {"image": (1, -1)}, "dynamic_batch": (1, 2)}, r"fill axes \(0,\)"),
        (
            {"input_shapes": SHAPE, "dynamic_image_size": ((8, 8), (16, 16))},
            r"fill axes \(2, 3\)",
        ),
        (
            {"input_shapes": {"image": (1, 3, -1, -1)}, "dynamic_image_size": ((8,), (16,))},
            "a height and a width",
        ),
        (
            {"input_shapes": SHAPE, "dynamic_dims": ((1,), (2, 3)), "input_format": "ND"},
            "1 numbers, one for each -1",
        ),
        ({"input_shapes": SHAPE, "dynamic_dims": ((1,), (2,))}, "input_format ND"),
        ({"aipp": {"image": NV12}, "fp16_inputs": ("image",)}, "AIPP and is in fp16_inputs"),
        ({"aipp": {"image": NV12}, "input_format": "ND"}, "NCHW or NHWC"),
        ({"aipp": {"image": DynamicAipp(0)}}, "max_image_bytes"),
        (
            {
                "aipp": {"image": FULL},
                "input_shapes": {"image": (1, 3, -1, -1)},
                "dynamic_image_size": ((8, 8), (16, 16)),
            },
            "neither crops nor pads",
        ),
    ],
)
def test_settings_that_atc_refuses_are_refused(settings_: Dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        SimulatedModel(ONNX, **settings_)  # type: ignore[arg-type]


def test_an_aipp_spec_has_all_members_in_the_header() -> None:
    assert isinstance(MODELS["aipp"].aipp["image"], AippSpec)
    assert MODELS["aipp"].profiles == () and MODELS["aipp"].profile_kind == ""
    assert (
        MODELS["batch"].profiles == ((1,), (2,), (8,)) and MODELS["batch"].profile_kind == "batch"
    )
