"""Which picture is fed to AIPP, and the card of the model that takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

import pytest
from aipp_cases import IMAGENET, preprocess, settings_for
from example_cards import plain_card

from atlas_hpe.aipp import (
    CSC_MATRICES,
    aipp_input_shape,
    aipp_spec,
    card_with_aipp,
    choose_aipp_input,
)
from atlas_hpe.card import AippInput, TensorSpec, card_from_json, card_to_json
from atlas_hpe.errors import UsageError

SWAPS = {
    ("nv12", "rgb"): False,
    ("nv12", "bgr"): False,
    ("nv21", "rgb"): True,
    ("nv21", "bgr"): True,
    ("rgb", "rgb"): False,
    ("rgb", "bgr"): True,
    ("bgr", "rgb"): True,
    ("bgr", "bgr"): False,
    ("xrgb", "rgb"): False,
    ("xrgb", "bgr"): True,
}


@pytest.mark.parametrize(("form", "colour"), list(SWAPS))
def test_each_form_becomes_registers_of_the_hardware(form: str, colour: str) -> None:
    spec = settings_for(preprocess(size=(8, 6), colour=colour), form)
    formats = {"nv21": "nv12", "bgr": "rgb"}
    assert spec.input_format == formats.get(form, form)
    assert spec.rbuv_swap is SWAPS[form, colour]
    assert spec.ax_swap is (form == "xrgb")
    assert (spec.csc is not None) is form.startswith("nv")


@pytest.mark.parametrize("form", ["nv12", "nv21"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize(("colour_range", "key"), [("narrow", "narrow"), ("full", "wide")])
def test_matrix_and_range_name_the_table(
    form: str, matrix: str, colour_range: str, key: str
) -> None:
    fed = choose_aipp_input(preprocess(), form, matrix=matrix, colour_range=colour_range)
    assert fed.matrix == f"{matrix}-{key}"
    spec = aipp_spec(preprocess(), fed)
    assert spec.csc == CSC_MATRICES[fed.matrix]
    swapped = aipp_spec(preprocess(colour="bgr"), fed).csc
    assert swapped is not None and spec.csc is not None
    assert swapped.rows == spec.csc.rows[::-1]


def test_other_forms_have_no_matrix() -> None:
    for form in ("rgb", "bgr", "xrgb"):
        assert choose_aipp_input(preprocess(), form, matrix="anything").matrix is None


def test_the_picture_has_the_size_that_makes_the_networks_input() -> None:
    asked = preprocess(size=(20, 10))
    plain = choose_aipp_input(asked, "rgb")
    assert (plain.width_px, plain.height_px) == (20, 10)
    padded = choose_aipp_input(asked, "nv12", padding=(1, 3, 2, 4))
    assert (padded.width_px, padded.height_px) == (16, 4)
    cut = choose_aipp_input(
        asked, "rgb", source_size_px=(30, 40), crop=(3, 5, 18, 7), padding=(0, 2, 3, 0)
    )
    assert cut == AippInput("rgb", 30, 40, None, (3, 5, 18, 7), (0, 2, 3, 0))
    for fed in (plain, padded, cut):
        assert aipp_spec(asked, fed).output_size_px == (20, 10)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"form": "jpeg"}, "choose one of: nv12, nv21, rgb, bgr, xrgb, gray"),
        ({"matrix": "bt2020"}, "choose one of: bt601, bt709"),
        ({"colour_range": "wide"}, "choose one of: narrow, full"),
        ({"form": "gray"}, "one channel, the network takes three"),
        ({"source_size_px": (8, 8)}, "after AIPP the picture has 8x8 px, the network takes 8x6"),
        ({"crop": (0, 0, 8, 6)}, "needs the size of the picture"),
        (
            {"source_size_px": (20, 20), "crop": (0, 0, 6, 6)},
            "after crop and padding the picture has 6x6 px, the network takes 8x6",
        ),
        (
            {"source_size_px": (8, 6), "padding": (1, 0, 0, 0)},
            "after crop and padding the picture has 9x6 px",
        ),
        ({"source_size_px": (9, 7), "crop": (2, 0, 8, 6)}, "reaches out"),
        ({"source_size_px": (20, 20), "crop": (1, 0, 8, 6)}, "even"),
        ({"source_size_px": (21, 20), "crop": (0, 0, 8, 6)}, "even"),
        ({"padding": (1, 0, 0, 0)}, "even"),
        ({"source_size_px": (5000, 20), "crop": (0, 0, 8, 6)}, "4096"),
        ({"padding": (0, 0, 0, -2)}, "0..32"),
        ({"padding": (7, 0, 0, 0)}, "2x1"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_rule(choices: dict, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_aipp_input(preprocess(size=(8, 6)), **{"form": "nv12", **choices})
    assert reason in str(caught.value)


def test_padding_beyond_the_registers_is_refused() -> None:
    with pytest.raises(UsageError, match="not possible") as caught:
        choose_aipp_input(preprocess(size=(64, 64)), "nv12", padding=(34, 0, 0, 0))
    assert "0..32" in str(caught.value)


def test_a_network_of_whole_numbers_is_not_normalised_for() -> None:
    asked = replace(preprocess(IMAGENET), dtype="uint8")
    with pytest.raises(UsageError, match="does not fit") as caught:
        choose_aipp_input(asked, "rgb")
    assert "takes uint8, and AIPP normalises to fp16 only" in str(caught.value)
    choose_aipp_input(replace(asked, where="graph"), "rgb")


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        ("nv12", (1, 9, 8, 1)),
        ("nv21", (1, 9, 8, 1)),
        ("rgb", (1, 6, 8, 3)),
        ("bgr", (1, 6, 8, 3)),
        ("xrgb", (1, 6, 8, 4)),
        ("gray", (1, 6, 8, 1)),
    ],
)
def test_the_input_has_as_many_bytes_as_the_registers_say(
    form: str, shape: Tuple[int, ...]
) -> None:
    asked = preprocess(size=(8, 6), colour="gray" if form == "gray" else "rgb")
    fed = choose_aipp_input(asked, form)
    assert aipp_input_shape(fed) == shape
    buffer = aipp_spec(asked, fed).buffer_shape
    assert tuple(size for size in shape if size > 1) == tuple(size for size in buffer if size > 1)


@pytest.mark.parametrize(("where", "after"), [("host", "aipp"), ("graph", "graph")])
def test_the_card_of_the_model_says_what_is_fed(where: str, after: str) -> None:
    card = plain_card()
    graph = card.graphs[0]
    extra = TensorSpec("camera", (1, 4), "float32")
    image = replace(graph.inputs[0], shape=(4, 3, 8, 8))
    card = replace(
        card,
        graphs=(replace(graph, inputs=(image, extra)), graph),
        preprocess=replace(card.preprocess, where=where),
    )
    fed = choose_aipp_input(card.preprocess, "nv12")
    made = card_with_aipp(card, fed)
    assert made.graphs[0].inputs == (TensorSpec("image", (4, 12, 8, 1), "uint8", "NHWC"), extra)
    assert made.graphs[0].outputs == graph.outputs and made.graphs[1] == graph
    assert made.preprocess == replace(card.preprocess, where=after, aipp=fed)
    assert card_from_json(card_to_json(made), "test") == made
    assert aipp_spec(made.preprocess, fed) == aipp_spec(card.preprocess, fed)
    assert card_with_aipp(made, fed) == made


def test_the_card_is_made_only_for_pictures_that_fit() -> None:
    with pytest.raises(UsageError, match="does not fit the network"):
        card_with_aipp(plain_card(), AippInput("rgb", 8, 9))
    with pytest.raises(UsageError, match="takes depth"):
        card_with_aipp(replace(plain_card(), task="depth-hand-3d"), AippInput("rgb", 8, 8))


def test_a_card_that_names_what_does_not_exist_is_refused() -> None:
    for fed, message in (
        (AippInput("jpeg", 8, 8), "input form 'jpeg'"),
        (AippInput("nv12", 8, 8), "colour matrix ''"),
        (AippInput("nv12", 8, 8, "bt2020"), "colour matrix 'bt2020'"),
    ):
        with pytest.raises(UsageError, match=message):
            aipp_spec(plain_card().preprocess, fed)
