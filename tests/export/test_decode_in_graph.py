"""Joints decoded inside the graph are the joints that the host decodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Mapping, Optional, Tuple

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from batch_checks import find_batch_fault
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.card import DecodeSpec, ModelCard, Provenance, TensorSpec
from atlas_hpe.errors import UsageError
from atlas_hpe.nets import load_network
from atlas_hpe_export.decoding import GRAPH_DECODERS, append_decoding
from atlas_hpe_export.decoding.grid import centred_positions, mass_scale
from atlas_hpe_export.finish import build_card
from atlas_hpe_export.graph import as_ir, as_proto
from atlas_hpe_export.runners import run_model
from atlas_hpe_pipelines import DecodedHand, decode_hand

SHAPES_2D = [(1, 21, 64, 64), (1, 21, 128, 128), (1, 21, 56, 112), (1, 21, 48, 36)]
NETWORK = load_network("shallow_unet")


def graph_of(shape: Tuple[int, ...]) -> ir.Model:
    """A graph whose heatmaps are its input, through one node."""
    info = [onnx.helper.make_tensor_value_info(name, 1, shape) for name in ("image", "heatmaps")]
    node = onnx.helper.make_node("Relu", ["image"], ["heatmaps"], name="/out/Relu")
    graph = onnx.helper.make_graph([node], "maps", info[:1], info[1:])
    opsets = [onnx.helper.make_opsetid("", 11)]
    return as_ir(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=6))


def card_of(kind: str, shape: Tuple[int, ...], options: Mapping[str, float]) -> ModelCard:
    spec = replace(
        NETWORK,
        inputs=(TensorSpec("image", shape, "float32"),),
        outputs=(TensorSpec("heatmaps", shape, "float32"),),
        decode=DecodeSpec(kind, {"heatmaps": "heatmaps"}, options),
    )
    return build_card(spec, None, Provenance(network="toy"))


def decode_both(
    kind: str, maps: np.ndarray, options: Mapping[str, float]
) -> Tuple[Optional[DecodedHand], Optional[DecodedHand], Dict[str, np.ndarray]]:
    card = card_of(kind, maps.shape, options)
    model = graph_of(maps.shape)
    decoded = append_decoding(model, card, GRAPH_DECODERS)
    proto = as_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    found = tuple((item.name, item.shape) for item in decoded.graphs[0].outputs)
    assert found == tuple(
        (info.name, tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim))
        for info in proto.graph.output
    )
    outputs = run_model(proto, [{"image": maps}])[0]
    host = decode_hand(card, {"heatmaps": np.maximum(maps, 0)})
    return host, decode_hand(decoded, outputs), outputs


def blobs(shape: Tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    height, width = shape[2:]
    centre = rng.uniform(0.2, 0.8, (21, 2)) * (width, height)
    rows, columns = np.indices((height, width))
    spread = 0.05 * width
    distance = (columns - centre[:, 0, None, None]) ** 2 + (rows - centre[:, 1, None, None]) ** 2
    return np.exp(-distance / (2 * spread**2))[None].astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "shape"), [("heatmap-2d", (1, 21, 48, 36)), ("heatmap-1d", (1, 63, 48))]
)
def test_pictures_of_a_batch_are_decoded_each_for_itself(kind: str, shape: Tuple[int, ...]) -> None:
    model = graph_of(shape)
    append_decoding(model, card_of(kind, shape, {}), GRAPH_DECODERS)
    assert find_batch_fault(as_proto(model)) is None


@pytest.mark.parametrize("shape", SHAPES_2D)
@pytest.mark.parametrize(
    "options", [{"min_mass": 1.0}, {"softmax_beta": 1.0}, {"softmax_beta": 8.0}]
)
def test_2d_heatmaps_decode_alike_on_host_and_in_the_graph(
    shape: Tuple[int, ...], options: Dict[str, float]
) -> None:
    maps = blobs(shape, np.random.default_rng(1))
    if "softmax_beta" in options:
        options = {**options, "min_mass": 0.5}
    host, graph, outputs = decode_both("heatmap-2d", maps, options)
    assert host is not None
    assert graph is not None
    assert outputs["joints"].shape == (1, 21, 2)
    np.testing.assert_allclose(graph.joints, host.joints, atol=2e-3)
    np.testing.assert_allclose(graph.joint_scores, host.joint_scores, atol=1e-5)
    assert graph.score == pytest.approx(host.score, abs=1e-5)


def test_an_empty_map_is_a_lost_joint_in_both() -> None:
    maps = blobs((1, 21, 64, 64), np.random.default_rng(2))
    maps[0, 5] = 0
    host, graph, outputs = decode_both("heatmap-2d", maps, {"min_mass": 1.0})
    assert np.isfinite(outputs["joints"]).all()
    assert np.isnan(graph.joints[5]).all()
    np.testing.assert_array_equal(np.isnan(graph.joints), np.isnan(host.joints))


def test_no_hand_is_no_hand_in_both() -> None:
    host, graph, _ = decode_both("heatmap-2d", np.zeros((1, 21, 64, 64), np.float32), {})
    assert host is None
    assert graph is None


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cells=st.sampled_from([56, 64, 112]))
def test_1d_heatmaps_leave_the_graph_as_21_by_3(seed: int, cells: int) -> None:
    maps = np.abs(np.random.default_rng(seed).normal(0, 4, (1, 63, cells))).astype(np.float32)
    host, graph, outputs = decode_both("heatmap-1d", maps, {})
    assert outputs["joints"].shape == (1, 21, 3)
    np.testing.assert_allclose(graph.joints, host.joints, atol=2e-3)
    np.testing.assert_allclose(graph.joint_scores, host.joint_scores, atol=1e-5)


@given(cells=st.integers(1, 2048))
def test_positions_are_exact_in_fp16(cells: int) -> None:
    positions, factor = centred_positions(cells)
    np.testing.assert_array_equal(positions.astype(np.float16).astype(np.float32), positions)
    np.testing.assert_allclose(positions * factor, np.arange(cells) / cells - 0.5, atol=1e-6)


@given(cells=st.integers(1, 1 << 20))
def test_scaled_sums_fit_fp16(cells: int) -> None:
    scale = mass_scale(cells)
    assert np.float16(scale) == scale
    assert scale >= np.finfo(np.float16).tiny
    assert cells * scale <= 65504


def test_a_network_that_decodes_in_its_graph_is_refused() -> None:
    card = build_card(load_network("hand_landmark"), None, Provenance(network="toy"))
    with pytest.raises(UsageError, match="already"):
        append_decoding(graph_of((1, 21, 2)), card, GRAPH_DECODERS)


def test_a_tensor_that_has_the_name_of_a_decoded_output_is_named() -> None:
    model = graph_of((1, 21, 8, 8))
    model.graph.inputs[0].name = "score"
    with pytest.raises(UsageError, match="score"):
        append_decoding(model, card_of("heatmap-2d", (1, 21, 8, 8), {}), GRAPH_DECODERS)


def test_an_unknown_decoding_names_those_that_there_are() -> None:
    card = card_of("mano", (1, 61), {})
    with pytest.raises(UsageError, match="heatmap-1d, heatmap-2d"):
        append_decoding(graph_of((1, 61)), card, GRAPH_DECODERS)
