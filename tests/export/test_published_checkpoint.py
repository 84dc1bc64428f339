"""The published `shallow_unet`: the file finds the joints that PyTorch finds, on real hands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from atlas_hpe.card import ModelCard, load_card
from atlas_hpe.errors import CheckFailedError
from atlas_hpe.geometry import Box, apply_affine
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe.parity import TOLERANCES, compare
from atlas_hpe_export import export_file, run_ladder
from atlas_hpe_export.batchnorm import freeze
from atlas_hpe_export.inputs import open_input
from atlas_hpe_export.runners import Runner, module_runner
from atlas_hpe_pipelines import (
    crop_picture,
    decode_joints,
    input_affine,
    prepare_sample,
    to_feeds,
)
from atlas_hpe_pipelines.drawn_hand import draw_samples
from atlas_hpe_pipelines.regions import choose_region
from atlas_hpe_runtime import open_session


class LabelledCrop(NamedTuple):
    """One hand as the network sees it; joints (21, 2) in input pixels."""

    feeds: Dict[str, np.ndarray]
    joints_px: np.ndarray


@pytest.fixture(scope="module")
def checkpoint(shared_data: Path) -> Path:
    return shared_data / "checkpoints" / "shallow_unet_model_final"


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    report = export_file(checkpoint, path, decode_joints=decode_joints)
    assert report.card is not None
    assert report.card.provenance.network == "shallow_unet"
    assert report.rewrites[-1] == "resize_half_pixel x3"
    return path


@pytest.fixture(scope="module")
def pytorch(checkpoint: Path) -> Runner:
    network = open_input(checkpoint).network
    assert network is not None
    freeze(network)
    run = module_runner(network, ["image"], ["heatmaps"])
    seen: Dict[int, Mapping[str, np.ndarray]] = {}

    def run_once(feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Several tests ask about the same crops, and PyTorch is the slow side."""
        if id(feeds) not in seen:
            seen[id(feeds)] = run(feeds)
        return seen[id(feeds)]

    return run_once


@pytest.fixture(scope="module")
def crops(exported: Path, shared_data: Path) -> List[LabelledCrop]:
    return labelled_crops(load_card(exported), shared_data / "annotated")


def labelled_crops(card: ModelCard, folder: Path) -> List[LabelledCrop]:
    """Square crops around hands that others have labelled."""
    crops: List[LabelledCrop] = []
    for item in json.loads((folder / "labels.json").read_text(encoding="utf-8"))["items"]:
        image = cv2.imread(str(folder / item["image"]))
        for hand in item["hands"]:
            joints = np.array(hand["keypoints"], float)[:, :2]
            low, high = joints.min(axis=0), joints.max(axis=0)
            box = Box(*low, *(high - low))
            size_px = image.shape[1], image.shape[0]
            affine = input_affine(card.preprocess, choose_region(card.preprocess, size_px, box))
            feeds = to_feeds(card, crop_picture(image, affine, card.preprocess))
            crops.append(LabelledCrop(feeds, apply_affine(affine, joints)))
    return crops


def test_the_file_has_what_the_board_takes(exported: Path) -> None:
    summary = read_onnx_summary(exported)
    assert (summary.opsets, summary.ir_version) == ({"ai.onnx": 11}, 6)
    assert summary.operators["Resize"] == 3
    assert summary.producer.startswith("pytorch")
    assert load_card(exported).provenance.checkpoint_sha256 == (
        "5e0ec5d8bd5208103e1529c22b583cbd1f53d96d6d26ccc9ec87b8b9ffd81b29"
    )


def test_the_mean_joint_error_of_onnx_is_that_of_pytorch(
    exported: Path, pytorch: Runner, crops: List[LabelledCrop]
) -> None:
    card = load_card(exported)
    assert len(crops) == 9
    errors_px: Dict[str, List[float]] = {"pytorch": [], "onnx": []}
    with open_session(exported) as session:
        for crop in crops:
            for name, run in (("pytorch", pytorch), ("onnx", session.run)):
                joints = decode_joints(card, run(crop.feeds))
                distances = np.linalg.norm(joints - crop.joints_px, axis=1)
                errors_px[name].append(float(distances.mean()))
    means_px = {name: np.mean(values) for name, values in errors_px.items()}
    assert np.isfinite(means_px["onnx"])
    assert abs(means_px["onnx"] - means_px["pytorch"]) < 0.01


def test_no_joint_moves_on_labelled_crops(
    exported: Path, pytorch: Runner, crops: List[LabelledCrop]
) -> None:
    card = load_card(exported)
    with open_session(exported) as session:
        report = compare(
            pytorch,
            session.run,
            (crop.feeds for crop in crops),
            card=card,
            decode_joints=decode_joints,
        )
    assert report.passed, report.failures
    assert report.joints is not None
    assert report.joints.compared == 21 * len(crops)
    assert report.joints.input_px is not None
    assert report.joints.input_px.max < TOLERANCES["float32"].joint * card.preprocess.width_px


def test_half_pixel_as_the_board_would_read_it_moves_joints(
    exported: Path, pytorch: Runner, crops: List[LabelledCrop], tmp_path: Path
) -> None:
    """What the rewrite prevents: the same graph with asymmetric Resize."""
    import onnx

    model = onnx.load(exported)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = b"asymmetric"
    onnx.save(model, tmp_path / "asymmetric.onnx")
    card = load_card(exported)
    with open_session(tmp_path / "asymmetric.onnx") as session:
        report = compare(
            pytorch,
            session.run,
            (crop.feeds for crop in crops),
            card=card,
            decode_joints=decode_joints,
        )
    assert not report.passed
    assert report.joints is not None
    assert report.joints.input_px is not None
    assert report.joints.input_px.median > 0.5


def test_every_rung_passes_on_photographs(
    exported: Path, checkpoint: Path, shared_data: Path
) -> None:
    report = run_ladder(
        exported,
        checkpoint,
        images=shared_data / "annotated" / "images",
        prepare_sample=prepare_sample,
        decode_joints=decode_joints,
    )
    assert report.passed, report.failures
    largest_px = []
    for rung in report.rungs:
        assert rung.parity.samples == 8
        assert rung.parity.source.startswith("8 pictures of ")
        assert rung.parity.joints is not None
        assert rung.parity.joints.compared == 8 * 21
        assert rung.parity.joints.input_px is not None
        largest_px.append(rung.parity.joints.input_px.max)
    # Each rung is further from PyTorch than the one before, and the first two are very near.
    assert largest_px[0] < 0.01 < largest_px[1] < 0.5 < largest_px[2]


def test_every_rung_passes_on_drawn_hands(exported: Path, checkpoint: Path) -> None:
    report = run_ladder(
        exported, checkpoint, draw_samples=draw_samples, decode_joints=decode_joints
    )
    assert report.passed, report.failures
    assert report.rungs[0].parity.source == "hands drawn by this project, no photographs"


def test_a_model_of_another_network_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    import tiny_onnx

    (tmp_path / "other.onnx").write_bytes(tiny_onnx.hand_model())
    with pytest.raises(CheckFailedError, match="inputs are not those of 'shallow_unet"):
        run_ladder(tmp_path / "other.onnx", checkpoint)
