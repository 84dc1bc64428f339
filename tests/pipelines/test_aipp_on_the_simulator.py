"""A network with AIPP in front, fed with pictures by its card, finds the hand where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.aipp import (
    aipp_config,
    aipp_spec,
    card_with_aipp,
    choose_aipp_input,
    read_aipp_config,
)
from atlas_hpe.card import ModelCard, load_card
from atlas_hpe.parity import TOLERANCES
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.contract import check_contract
from atlas_hpe_pipelines.fixed_region import FixedRegion
from atlas_hpe_pipelines.tracking.readers import HandReader
from atlas_hpe_pipelines.tracking.region import Region
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime import Session, open_session
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

pytest.importorskip("onnxruntime")

SIZE = 16
FORMS = [
    ("nv12", {}),
    ("nv21", {"matrix": "bt709", "colour_range": "full"}),
    ("rgb", {}),
    ("bgr", {"padding": (2, 2, 0, 2)}),
    ("xrgb", {}),
    ("nv12", {"source_size_px": (32, 24), "crop": (6, 4, SIZE, SIZE)}),
]
IDS = ["nv12", "nv21", "rgb", "padded", "xrgb", "cropped"]


def hand_frame() -> Frame:
    """A bright, coloured spot on a dark ground."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[20:36, 24:44] = (120, 180, 230)
    return Frame(0, 0.0, image)


def joints_of(hand: Optional[HandPose]) -> np.ndarray:
    assert hand is not None
    return hand.joints


def read_hand(card: ModelCard, session: Session, frame: Frame) -> HandPose:
    """By the stages of a pipeline that looks at one region."""
    work = Work(frame=frame)
    for stage in FixedRegion(card, session, (64, 64)).stages():
        work = stage.work(work)
    (hand,) = work.hands
    return hand


@pytest.mark.parametrize(("form", "choices"), FORMS, ids=IDS)
def test_joints_are_those_of_the_host_path(tmp_path: Path, form: str, choices: dict) -> None:
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model(SIZE))
    card, frame = load_card(path), hand_frame()
    with open_session(path, backend="onnxruntime") as session:
        want = read_hand(card, session, frame)
    fed = choose_aipp_input(card.preprocess, form, **choices)
    made = card_with_aipp(card, fed)
    aipp = read_aipp_config(aipp_config(aipp_spec(card.preprocess, fed)))[0]
    compiled = tmp_path / "hand.om"
    write_simulated_model(compiled, SimulatedModel(path.read_bytes(), aipp={"image": aipp}))
    with open_session(compiled, backend="simulator") as session:
        check_contract(made, session.inputs, session.outputs)
        hand = read_hand(made, session, frame)
        reader_card = replace(made, preprocess=replace(made.preprocess, fit="crop"))
        reader = HandReader(reader_card, session)
        followed = [joints_of(reader.read(frame, Region(32, 32, 64, 0.0))) for _ in range(2)]
    moved_px = np.linalg.norm(hand.joints - want.joints, axis=1)
    assert np.median(moved_px) <= TOLERANCES["aipp"].joint_median * 64
    for joints in followed:
        np.testing.assert_allclose(joints, hand.joints, atol=0.1)
