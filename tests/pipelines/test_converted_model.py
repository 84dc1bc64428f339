"""From ``convert --simulate`` to joints: run, bench and replay take what it wrote with its card."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.card import card_path_of, card_to_json, load_card
from atlas_hpe.errors import CardError
from atlas_hpe.models import default_detector_path, default_model_path
from atlas_hpe.parity import (
    TOLERANCES,
    BundleFacts,
    LadderReport,
    ask,
    record_bundle,
    replay_bundle,
)
from atlas_hpe_export.convert import AippRequest, ConvertOptions, compile_om
from atlas_hpe_pipelines import Pipeline, decode_joints
from atlas_hpe_pipelines.drawn_hand import draw_samples
from atlas_hpe_runtime import open_session
from atlas_hpe_runtime.bench import BenchSettings, bench_model
from clips import encode, spot_frames

pytest.importorskip("onnxruntime")

FORMS = {
    "plain": ConvertOptions(),
    "fp16 input": ConvertOptions(extra=("--input_fp16_nodes=image", "--output_type=FP16")),
    "nv12": ConvertOptions(aipp=AippRequest("nv12")),
    "nv21": ConvertOptions(aipp=AippRequest("nv21", matrix="bt709", colour_range="full")),
    "rgb": ConvertOptions(aipp=AippRequest("rgb")),
    "bgr": ConvertOptions(aipp=AippRequest("bgr")),
    "xrgb, cut out": ConvertOptions(
        aipp=AippRequest("xrgb", source_size_px=(160, 144), crop=(8, 6, 128, 128))
    ),
}
#: Pixels of 128 by which the joints of the shipped network move in the median; measured 0.02 for
#: all that see the same picture, and 0.2 for those in which four pixels share a colour.
MEDIAN_PX = {"nv12": 0.6, "nv21": 0.6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network, and what it says of drawn hands."""
    folder = tmp_path_factory.mktemp("converted")
    model = folder / "hand.onnx"
    shutil.copy(str(default_model_path()), str(model))
    card = load_card(model)
    with open_session(model) as session:
        answers = ask(
            session.run, draw_samples(card, 3), lambda outputs: decode_joints(card, outputs)
        )
        facts = BundleFacts("hand.onnx", "ONNX Runtime", "ab", "hand.onnx", "ab", "drawn", {}, card)
        record_bundle(folder / "hands.npz", answers, facts)
    return folder


def simulate(folder: Path, name: str, options: ConvertOptions, model: str = "hand.onnx") -> Path:
    out = folder / f"{name}.simulated.om"
    if not out.exists():
        compile_om(folder / model, out, options=options, simulate=True)
    return out


def replay(folder: Path, path: Path) -> LadderReport:
    with open_session(path) as session:
        return replay_bundle(
            folder / "hands.npz",
            session,
            model=path.name,
            card=load_card(path),
            decode_joints=decode_joints,
        )


@pytest.mark.parametrize("name", FORMS)
def test_a_replay_finds_the_joints_of_the_onnx(folder: Path, name: str) -> None:
    report = replay(folder, simulate(folder, name, FORMS[name]))
    assert report.passed
    (rung,) = report.rungs
    assert rung.what.endswith("simulated")
    joints = rung.parity.joints
    assert joints is not None and joints.input_px is not None
    assert joints.compared == 63
    assert joints.input_px.median <= MEDIAN_PX.get(name, 0.06)


def test_a_card_with_the_colours_swapped_is_found_out(folder: Path) -> None:
    path = simulate(folder, "swapped", FORMS["bgr"])
    card = load_card(path)
    assert card.preprocess.aipp is not None
    wrong = replace(card.preprocess, aipp=replace(card.preprocess.aipp, form="rgb"))
    text = card_to_json(replace(card, preprocess=wrong))
    card_path_of(path).write_text(text, encoding="utf-8")
    assert not replay(folder, path).passed


@pytest.fixture(scope="module")
def clip(folder: Path, shared_data: Path) -> Path:
    """Some frames of a real hand."""
    capture = cv2.VideoCapture(str(shared_data / "videos" / "palm_offer_blur_bg.mp4"))
    capture.set(cv2.CAP_PROP_POS_FRAMES, 40)
    frames = [capture.read()[1][..., ::-1] for _ in range(8)]
    capture.release()
    return encode(np.stack(frames), folder / "clip.mp4", "-crf", "12")


def joints_in(clip: Path, model: Path, **options: object) -> List[np.ndarray]:
    pipeline = Pipeline(clip, model, **options)  # type: ignore[arg-type]
    found = [hands[0].joints for _, hands in pipeline]
    assert pipeline.basis == ("simulated" if model.suffix == ".om" else "measured on this host")
    return found


@pytest.mark.parametrize("name", ["plain", "nv12", "bgr"])
def test_a_run_shows_the_hand_where_the_onnx_shows_it(folder: Path, clip: Path, name: str) -> None:
    box = (100.0, 80.0, 240.0, 240.0)
    want = joints_in(clip, folder / "hand.onnx", box=box)
    found = joints_in(clip, simulate(folder, name, FORMS[name]), box=box)
    moved_px = np.linalg.norm(np.subtract(found, want), axis=-1)
    scale = load_card(folder / "hand.onnx").preprocess.crop_scale
    assert np.median(moved_px) <= TOLERANCES["aipp"].joint_median * 240 * scale / 2


def test_the_detector_can_be_simulated_too(folder: Path, clip: Path, tmp_path: Path) -> None:
    shutil.copy(str(default_detector_path()), str(tmp_path / "detector.onnx"))
    detector = simulate(tmp_path, "detector", FORMS["nv12"], "detector.onnx")
    model = simulate(folder, "rgb", FORMS["rgb"])
    out = tmp_path / "hands.gif"
    want = joints_in(clip, folder / "hand.onnx", max_hands=1)
    found = joints_in(clip, model, detector=detector, max_hands=1, out=[out])
    assert out.read_bytes()[:6] == b"GIF89a"
    assert np.median(np.linalg.norm(np.subtract(found, want), axis=-1)) < 4


def test_a_bench_says_that_it_is_simulated(folder: Path) -> None:
    settings = BenchSettings(warm_up=0, loops=2, loads=1)
    report = bench_model(simulate(folder, "nv12", FORMS["nv12"]), settings)
    assert (report.backend, report.basis, report.frames_per_run) == ("simulator", "simulated", 1)
    (feed,) = report.feeds
    assert (feed.dtype, feed.shape, feed.low, feed.high) == ("uint8", (1, 192, 128, 1), 0, 255)
    assert report.model.graph_sha256 == load_card(folder / "hand.onnx").provenance.graph_sha256


def test_profiles_of_batches_are_run_and_benched(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(tiny_onnx.hand_model())
    options = ConvertOptions(batches=(1, 4), aipp=AippRequest("nv12"))
    path = simulate(tmp_path, "tiny", options, "tiny.onnx")
    for batch, frames in ((None, 1), (4, 4)):
        settings = BenchSettings(warm_up=0, loops=2, loads=1, batch=batch)
        assert bench_model(path, settings).frames_per_run == frames
    clip = encode(spot_frames(5), tmp_path / "spot.mp4")
    want = joints_in(clip, tmp_path / "tiny.onnx")
    np.testing.assert_allclose(joints_in(clip, path), want, atol=1)


def test_image_sizes_are_sizes_of_the_picture_that_is_fed(tmp_path: Path) -> None:
    model = write_sized_model(tmp_path / "sized.onnx")
    options = ConvertOptions(image_sizes=((16, 16), (32, 48)), aipp=AippRequest("rgb"))
    path = simulate(tmp_path, "sized", options, model.name)
    with open_session(path) as session:
        for height, width in options.image_sizes:
            feeds = {"image": np.full((1, height, width, 3), 255, np.uint8)}
            (out,) = session.run(feeds).values()
            np.testing.assert_allclose(out, np.ones((1, 3, height, width)), atol=2e-3)


def write_sized_model(path: Path) -> Path:
    """``Relu`` of the picture, for any size."""
    path.write_bytes(tiny_onnx.hand_model())
    card = load_card(path)
    node = tiny_onnx.node("Relu", ["image"], ["joints"])
    shape = (1, 3, "height", "width")
    metadata = {"atlas_hpe.card": card_to_json(card)}
    path.write_bytes(tiny_onnx.model([node], {"image": shape}, {"joints": shape}, (), metadata))
    return path


def test_without_its_card_the_model_is_refused_with_the_fix(folder: Path, clip: Path) -> None:
    path = folder / "lost.simulated.om"
    shutil.copy(str(simulate(folder, "plain", FORMS["plain"])), str(path))
    with pytest.raises(CardError) as caught:
        Pipeline(clip, path)
    assert caught.value.fix
    assert "atlas-hpe convert" in caught.value.fix
