"""A card that does not fit its graph is refused before the first frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Tuple

import marker_hands
import pytest

import tiny_onnx
from atlas_hpe.aipp import card_with_aipp, choose_aipp_input
from atlas_hpe.card import (
    CARD_METADATA_KEY,
    AippInput,
    BuildRecord,
    DecodeSpec,
    ModelCard,
    TensorSpec,
    load_card,
)
from atlas_hpe.errors import CardError
from atlas_hpe_pipelines.contract import check_contract, check_detector_contract

OUTPUTS = (
    TensorSpec("joints", (1, 21, 2), "float32"),
    TensorSpec("presence", (1, 1), "float32"),
)
IMAGE = TensorSpec("image", (1, 3, 16, 16), "float32")


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return load_card(path)


def test_a_card_that_fits_passes(card: ModelCard) -> None:
    check_contract(card, [IMAGE], OUTPUTS)
    check_contract(card, [replace(IMAGE, shape=(-1, 3, 16, 16))], OUTPUTS)


BUILD = BuildRecord("atc 5", False, {}, "11", "22", 1.0, None, "here")
NV12 = TensorSpec("image", (1, 24, 16, 1), "uint8", "NHWC")


@pytest.mark.parametrize(
    ("form", "shape"),
    [("nv12", (1, 24, 16, 1)), ("bgr", (1, 16, 16, 3)), ("xrgb", (1, 16, 16, 4))],
)
def test_a_model_with_aipp_takes_the_picture(
    card: ModelCard, form: str, shape: Tuple[int, ...]
) -> None:
    made = card_with_aipp(card, choose_aipp_input(card.preprocess, form))
    check_contract(made, [TensorSpec("image", shape, "uint8", "NHWC")], OUTPUTS)
    check_contract(made, [TensorSpec("image", (-1, *shape[1:]), "uint8", "NHWC")], OUTPUTS)


@pytest.mark.parametrize(
    "found",
    [
        IMAGE,
        replace(NV12, dtype="float32"),
        replace(NV12, shape=(1, 16, 16, 3)),
        replace(NV12, shape=(24, 16)),
        replace(NV12, name="picture"),
    ],
)
def test_another_picture_is_refused(card: ModelCard, found: TensorSpec) -> None:
    made = card_with_aipp(card, choose_aipp_input(card.preprocess, "nv12"))
    with pytest.raises(CardError, match="needs one input 'image' uint8 1x24x16x1"):
        check_contract(made, [found], OUTPUTS)


def test_what_was_compiled_is_converted_again(card: ModelCard) -> None:
    for build, fix in ((None, "export the model again"), (BUILD, "convert the model again")):
        made = replace(card, provenance=replace(card.provenance, build=build))
        with pytest.raises(CardError) as caught:
            check_contract(made, [NV12], OUTPUTS)
        assert caught.value.fix == fix


def test_a_card_whose_aipp_can_not_be_is_refused(card: ModelCard) -> None:
    made = card_with_aipp(card, choose_aipp_input(card.preprocess, "nv12"))
    fed = AippInput("nv12", 16, 20, "bt601-narrow")
    made = replace(made, preprocess=replace(made.preprocess, aipp=fed))
    with pytest.raises(CardError, match="AIPP is not possible") as caught:
        check_contract(made, [NV12], OUTPUTS)
    assert caught.value.where == "tiny hand, card.preprocess.aipp"
    assert "16x20 px, the network takes 16x16" in str(caught.value.why)


def test_a_detector_with_aipp_takes_the_picture() -> None:
    made = card_with_aipp(DETECTOR, choose_aipp_input(DETECTOR.preprocess, "rgb"))
    check_detector_contract(made, made.graphs[0].inputs, DETECTOR_OUTPUTS)
    with pytest.raises(CardError, match="uint8 1x128x128x3"):
        check_detector_contract(made, DETECTOR_INPUTS, DETECTOR_OUTPUTS)


@pytest.mark.parametrize(
    "found",
    [
        replace(IMAGE, name="picture"),
        replace(IMAGE, shape=(1, 3, 32, 32)),
        replace(IMAGE, shape=(1, 16, 16, 3)),
        replace(IMAGE, shape=(3, 16, 16)),
        replace(IMAGE, dtype="float16"),
    ],
)
def test_another_input_is_refused(card: ModelCard, found: TensorSpec) -> None:
    with pytest.raises(CardError, match="needs one input 'image' float32 1x3x16x16"):
        check_contract(card, [found], OUTPUTS)


def test_a_second_input_is_refused(card: ModelCard) -> None:
    with pytest.raises(CardError, match="needs one input"):
        check_contract(card, [IMAGE, replace(IMAGE, name="intrinsics")], OUTPUTS)


def test_outputs_that_the_decoder_can_not_use_are_refused(card: ModelCard) -> None:
    presence = OUTPUTS[1]
    for joints, message in (
        ((1, 42), "3 dimensions"),
        ((1, 14, 2), "joint 20, the graph has 14 joints"),
    ):
        with pytest.raises(CardError, match=message):
            check_contract(card, [IMAGE], [TensorSpec("joints", joints, "float32"), presence])
    with pytest.raises(CardError, match="no output 'presence'"):
        check_contract(card, [IMAGE], OUTPUTS[:1])


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (DecodeSpec("tarot", {"joints": "joints"}), "no decoder 'tarot'"),
        (DecodeSpec("coordinates", {"presence": "presence"}), "the role 'joints'"),
        (DecodeSpec("heatmap-2d", {"joints": "joints"}), "the role 'heatmaps'"),
    ],
)
def test_a_decoder_that_lacks_something_is_refused(
    card: ModelCard, decode: DecodeSpec, message: str
) -> None:
    with pytest.raises(CardError, match=message):
        check_contract(replace(card, decode=decode), [IMAGE], OUTPUTS)


DETECTOR = marker_hands.detector_card()
DETECTOR_INPUTS, DETECTOR_OUTPUTS = DETECTOR.graphs[0].inputs, DETECTOR.graphs[0].outputs


def test_a_detector_that_fits_passes() -> None:
    check_detector_contract(DETECTOR, DETECTOR_INPUTS, DETECTOR_OUTPUTS)


def test_a_landmark_network_is_no_detector(card: ModelCard) -> None:
    with pytest.raises(CardError, match="no hand detector"):
        check_detector_contract(card, [IMAGE], OUTPUTS)


def test_a_detector_with_another_input_is_refused() -> None:
    with pytest.raises(CardError, match="float32 1x3x128x128"):
        check_detector_contract(DETECTOR, [IMAGE], DETECTOR_OUTPUTS)


@pytest.mark.parametrize("role", ["score", "box", "direction"])
def test_a_detector_without_one_of_its_maps_is_refused(role: str) -> None:
    others = [spec for spec in DETECTOR_OUTPUTS if spec.name != role]
    with pytest.raises(CardError, match=f"output '{role}' of 4 dimensions"):
        check_detector_contract(DETECTOR, DETECTOR_INPUTS, others)
    flat = [*others, TensorSpec(role, (1, 16), "float32")]
    with pytest.raises(CardError, match=f"output '{role}' of 4 dimensions"):
        check_detector_contract(DETECTOR, DETECTOR_INPUTS, flat)


@pytest.mark.parametrize("role", ["score", "box"])
def test_a_detector_card_names_its_maps(role: str) -> None:
    roles = {name: name for name in DETECTOR.decode.outputs if name != role}
    card = replace(DETECTOR, decode=replace(DETECTOR.decode, outputs=roles))
    with pytest.raises(CardError, match=f"the role '{role}'"):
        check_detector_contract(card, DETECTOR_INPUTS, DETECTOR_OUTPUTS)


def test_the_pipeline_asks_before_the_first_frame(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from atlas_hpe_pipelines import Pipeline

    path = tmp_path / "hand.onnx"
    text = tiny_onnx.hand_model().replace(b'"coordinates"', b'"tarot-cards"')
    assert CARD_METADATA_KEY.encode() in text
    path.write_bytes(text)
    with pytest.raises(CardError, match="tarot-cards"):
        Pipeline(tmp_path / "absent.mp4", path)
