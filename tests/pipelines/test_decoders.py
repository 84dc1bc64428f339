"""Outputs to joints, exact on constructed maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_onnx
from atlas_hpe.card import DecodeSpec, ModelCard, PreprocessSpec
from atlas_hpe.errors import CardError
from atlas_hpe_pipelines import decode_hand, decode_joints
from atlas_hpe_pipelines.decoders import gives_heatmaps, place_heatmaps

SPEC = PreprocessSpec(
    width_px=128, height_px=128, colour="rgb", fit="crop", mean=(0.0,) * 3, std=(1.0,) * 3
)
HEATMAPS = replace(
    tiny_onnx.hand_card(SPEC, {"heatmaps": (1, 21, 64, 64)}),
    decode=DecodeSpec("heatmap-2d", {"heatmaps": "heatmaps"}, {"min_mass": 1.0}),
)
COORDINATES = replace(
    tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)}),
    decode=DecodeSpec(
        "coordinates",
        {"joints": "joints", "score": "score", "presence": "presence", "handedness": "side"},
        {"min_presence": 0.5},
    ),
)


def gaussian_maps(cells: np.ndarray) -> np.ndarray:
    rows, columns = np.indices((64, 64))
    distance = (columns - cells[:, 0, None, None]) ** 2 + (rows - cells[:, 1, None, None]) ** 2
    return np.exp(-distance / 8)[None].astype(np.float32)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_heatmaps_decode_to_the_published_expectation(seed: int) -> None:
    cells = np.random.default_rng(seed).uniform(12, 52, (21, 2))
    hand = decode_hand(HEATMAPS, {"heatmaps": gaussian_maps(cells)})
    assert hand is not None
    np.testing.assert_allclose(hand.joints, cells / 64 * 128, atol=1e-3)
    assert (hand.joint_scores > 0.8).all()


def test_an_empty_map_is_a_lost_joint_and_not_the_centre() -> None:
    maps = gaussian_maps(np.full((21, 2), 40.0))
    maps[0, 5] = 0
    hand = decode_hand(HEATMAPS, {"heatmaps": maps})
    assert hand is not None
    assert np.isnan(hand.joints[5]).all()
    assert hand.joint_scores[5] == 0
    assert np.isfinite(np.delete(hand.joints, 5, axis=0)).all()


@pytest.mark.parametrize("maps", [np.zeros((1, 21, 64, 64)), np.full((1, 21, 64, 64), np.nan)])
def test_empty_or_broken_maps_are_no_hand(maps: np.ndarray) -> None:
    assert decode_hand(HEATMAPS, {"heatmaps": maps}) is None
    assert np.isnan(decode_joints(HEATMAPS, {"heatmaps": maps})).all()


@pytest.mark.parametrize(("lost", "is_hand"), [(10, True), (11, False)])
def test_half_of_the_joints_lost_is_no_hand(lost: int, is_hand: bool) -> None:
    maps = gaussian_maps(np.full((21, 2), 40.0))
    maps[0, :lost] = 0
    assert (decode_hand(HEATMAPS, {"heatmaps": maps}) is not None) == is_hand


def test_native_order_is_mapped_to_hand21_once() -> None:
    order = tuple(reversed(range(21)))
    cells = np.random.default_rng(0).uniform(12, 52, (21, 2))
    plain = decode_joints(HEATMAPS, {"heatmaps": gaussian_maps(cells)})
    turned = decode_joints(replace(HEATMAPS, joint_order=order), {"heatmaps": gaussian_maps(cells)})
    np.testing.assert_allclose(turned, plain[::-1])


def coordinates(presence: float = 0.9, right: float = 0.8) -> dict:
    return {
        "joints": np.linspace(0, 1, 42, dtype=np.float32).reshape(1, 21, 2),
        "score": np.full((1, 21), 0.7, np.float32),
        "presence": np.full((1, 1), presence, np.float32),
        "side": np.full((1, 1), right, np.float32),
    }


def test_coordinates_are_scaled_to_the_input() -> None:
    hand = decode_hand(COORDINATES, coordinates())
    assert hand is not None
    np.testing.assert_allclose(hand.joints[-1], [40 / 41 * 128, 128], rtol=1e-6)
    assert (hand.handedness, hand.handedness_score) == ("right", pytest.approx(0.8))
    assert hand.score == pytest.approx(0.9)


def test_handedness_score_is_of_the_side_named() -> None:
    hand = decode_hand(COORDINATES, coordinates(right=0.1))
    assert hand is not None
    assert (hand.handedness, hand.handedness_score) == ("left", pytest.approx(0.9))


@pytest.mark.parametrize("presence", [0.49, float("nan")])
def test_without_presence_there_is_no_hand(presence: float) -> None:
    assert decode_hand(COORDINATES, coordinates(presence=presence)) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_coordinate_that_is_no_number_is_no_hand(value: float) -> None:
    outputs = coordinates()
    outputs["joints"][0, 20, 1] = value
    assert decode_hand(COORDINATES, outputs) is None


def test_joint_scores_are_those_of_the_graph_within_0_and_1() -> None:
    native = np.linspace(-0.5, 1.5, 21, dtype=np.float32)
    card = replace(COORDINATES, joint_order=tuple(reversed(range(21))))
    hand = decode_hand(card, {**coordinates(), "score": native[None]})
    assert hand is not None
    np.testing.assert_allclose(hand.joint_scores, np.clip(native, 0, 1)[::-1])


def test_without_joint_scores_every_joint_is_certain() -> None:
    roles = {role: name for role, name in COORDINATES.decode.outputs.items() if role != "score"}
    hand = decode_hand(broken_card(outputs=roles), coordinates())
    assert hand is not None
    np.testing.assert_array_equal(hand.joint_scores, np.ones(21))


def test_without_presence_the_score_is_that_of_the_joints() -> None:
    roles = {"joints": "joints", "score": "score"}
    hand = decode_hand(broken_card(outputs=roles), coordinates())
    assert hand is not None
    assert hand.score == pytest.approx(0.7)


def with_depth() -> ModelCard:
    return broken_card(outputs={**COORDINATES.decode.outputs, "depth": "depth"})


def test_depth_is_in_input_pixels_in_hand21_order() -> None:
    native = np.linspace(-0.2, 0.3, 21, dtype=np.float32)
    card = replace(with_depth(), joint_order=tuple(reversed(range(21))))
    hand = decode_hand(card, {**coordinates(), "depth": native[None]})
    assert hand is not None and hand.depth is not None
    np.testing.assert_allclose(hand.depth, native[::-1] * 128, rtol=1e-6)
    plain = decode_hand(COORDINATES, coordinates())
    assert plain is not None and plain.depth is None


def test_a_depth_that_is_no_number_is_no_hand() -> None:
    depth = np.zeros((1, 21), np.float32)
    depth[0, 4] = np.nan
    assert decode_hand(with_depth(), {**coordinates(), "depth": depth}) is None


def broken_card(**changes: object) -> ModelCard:
    return replace(COORDINATES, decode=replace(COORDINATES.decode, **changes))


def test_unknown_decoder_and_missing_output_are_named() -> None:
    with pytest.raises(CardError, match="no decoder 'tarot'"):
        decode_hand(broken_card(kind="tarot"), coordinates())
    with pytest.raises(CardError, match="no output 'gone'"):
        decode_hand(broken_card(outputs={"joints": "gone"}), coordinates())


def test_logits_decode_to_their_soft_argmax() -> None:
    cells = np.random.default_rng(3).uniform(12, 52, (21, 2))
    logits = np.log(gaussian_maps(cells) + 1e-12)
    options = {"softmax_beta": 1.0, "min_mass": 0.5}
    card = replace(HEATMAPS, decode=replace(HEATMAPS.decode, options=options))
    hand = decode_hand(card, {"heatmaps": logits})
    assert hand is not None
    np.testing.assert_allclose(hand.joints, cells / 64 * 128, atol=1e-3)


def test_a_larger_beta_moves_the_soft_argmax_to_the_peak() -> None:
    logits = np.zeros((1, 21, 64, 64), np.float32)
    logits[:, :, 8, 48] = 1.0
    for beta, off_px in ((1.0, 30.0), (40.0, 0.01)):
        options = {"softmax_beta": beta, "min_mass": 0.5}
        card = replace(HEATMAPS, decode=replace(HEATMAPS.decode, options=options))
        distance = np.abs(decode_joints(card, {"heatmaps": logits})[0] - (96, 16)).max()
        assert (distance < off_px) == (off_px < 1)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_1d_heatmaps_decode_axis_by_axis(seed: int) -> None:
    cells = np.random.default_rng(seed).integers(0, 112, (21, 3))
    maps = np.full((63, 112), -50.0, np.float32)
    maps[np.arange(63), cells.T.ravel()] = 50.0
    card = replace(HEATMAPS, decode=DecodeSpec("heatmap-1d", {"heatmaps": "heatmaps"}))
    hand = decode_hand(card, {"heatmaps": maps[None]})
    assert hand is not None
    np.testing.assert_allclose(hand.joints, cells[:, :2] / 112 * 128, atol=1e-6)
    np.testing.assert_allclose(hand.joint_scores, 1.0)


def test_1d_heatmaps_that_are_not_finite_are_no_hand() -> None:
    card = replace(HEATMAPS, decode=DecodeSpec("heatmap-1d", {"heatmaps": "heatmaps"}))
    assert decode_hand(card, {"heatmaps": np.full((1, 63, 112), np.nan)}) is None


MASS_CARD = replace(
    COORDINATES,
    decode=DecodeSpec("coordinates", {"joints": "joints", "score": "score", "mass": "mass"}),
)


def decoded_in_graph(mass: np.ndarray) -> dict:
    joints = np.full((1, 21, 3), 0.25, np.float32)
    return {"joints": joints, "score": np.full((1, 21), 0.5, np.float32), "mass": mass[None]}


def test_a_joint_whose_map_was_empty_is_lost() -> None:
    mass = np.full(21, 9.0)
    mass[[3, 7]] = 0.5, np.nan
    hand = decode_hand(MASS_CARD, decoded_in_graph(mass))
    assert hand is not None
    assert np.flatnonzero(np.isnan(hand.joints[:, 0])).tolist() == [3, 7]
    np.testing.assert_allclose(hand.joints[0], 32)
    assert hand.score == pytest.approx(0.5 * 19 / 21)


def test_half_of_the_maps_empty_is_no_hand() -> None:
    assert decode_hand(MASS_CARD, decoded_in_graph(np.array([9.0] * 10 + [0.0] * 11))) is None


def test_heatmaps_are_shown_of_networks_that_give_them() -> None:
    one_d = replace(HEATMAPS, decode=DecodeSpec("heatmap-1d", {"heatmaps": "heatmaps"}))
    assert gives_heatmaps(HEATMAPS) and gives_heatmaps(one_d)
    assert not gives_heatmaps(COORDINATES)
    assert place_heatmaps(COORDINATES, coordinates(), np.eye(2, 3)) is None


def test_placed_heatmaps_are_a_view_of_the_output_in_hand21_order() -> None:
    maps = gaussian_maps(np.random.default_rng(0).uniform(12, 52, (21, 2)))
    placed = place_heatmaps(HEATMAPS, {"heatmaps": maps}, np.eye(2, 3))
    assert placed is not None and np.shares_memory(placed.values, maps)
    turned = replace(HEATMAPS, joint_order=tuple(reversed(range(21))))
    other = place_heatmaps(turned, {"heatmaps": maps}, np.eye(2, 3))
    assert other is not None
    np.testing.assert_array_equal(other.values, maps[0, ::-1])


def test_heatmaps_of_logits_are_probabilities() -> None:
    logits = np.random.default_rng(0).normal(size=(1, 21, 64, 64)).astype(np.float32)
    card = replace(HEATMAPS, decode=replace(HEATMAPS.decode, options={"softmax_beta": 2.0}))
    placed = place_heatmaps(card, {"heatmaps": logits}, np.eye(2, 3))
    assert placed is not None
    np.testing.assert_allclose(placed.values.sum(axis=(1, 2)), 1)
