"""Who decodes and crops: the device where it can, the CPU with the reason where it can't."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np
import pytest
from device_hands import H264
from test_device_source import turn_video

from atlas_hpe.aipp import aipp_spec, card_with_aipp, choose_aipp_input
from atlas_hpe.card import ModelCard, PreprocessSpec, card_path_of, card_to_json, load_card
from atlas_hpe.errors import DeviceError, SessionError, UsageError
from atlas_hpe.geometry import Box
from atlas_hpe.models import default_model_path
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.device_path import DevicePath, HardwareCrop, open_device_path
from atlas_hpe_pipelines.fixed_region import FixedRegion
from atlas_hpe_pipelines.pipeline import Pipeline
from atlas_hpe_pipelines.run_report import RunReport, format_run_report
from atlas_hpe_pipelines.sources import Source, VideoSource
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime import Session, open_session
from atlas_hpe_runtime.acl.dvpp import Fallback
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from atlas_hpe_runtime.simulator.settings import SimulatorSettings
from atlas_hpe_runtime.simulator.sweep import sweep
from clips import encode, spot_frames
from dvpp_device import machine_of, simulated_device
from tiny_onnx import hand_card, hand_model

pytest.importorskip("onnxruntime")

COUNT = 12
SIZE = 64


@pytest.fixture()
def owner() -> Iterator[DeviceOwner]:
    with simulated_device() as owner:
        yield owner


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return encode(spot_frames(COUNT, 160, 128), path, *H264)


def plain_card(size: int = SIZE) -> ModelCard:
    spec = PreprocessSpec(size, size, "rgb", "letterbox", (0.0,) * 3, (255.0,) * 3, border="mean")
    return hand_card(spec, {"joints": (1, 21, 2), "presence": (1, 1)})


def converted(form: str = "nv12", size: int = SIZE, **options: object) -> ModelCard:
    card = plain_card(size)
    return card_with_aipp(card, choose_aipp_input(card.preprocess, form, **options))  # type: ignore[arg-type]


def write_model(path: Path, card: ModelCard) -> Path:
    """The network that finds what is bright, as atc would make it for this card."""
    spec = card.preprocess
    aipp = {} if spec.aipp is None else {"image": aipp_spec(spec, spec.aipp)}
    write_simulated_model(path, SimulatedModel(hand_model(spec.width_px), aipp=aipp))
    return path


@pytest.fixture()
def session(owner: DeviceOwner, tmp_path: Path) -> Iterator[AclSession]:
    with AclSession(owner.acl, write_model(tmp_path / "hand.om", converted())) as session:
        yield session


def reason(found: object) -> str:
    assert isinstance(found, Fallback)
    return found.reason


def follow(
    source: Source,
    card: ModelCard,
    session: Session,
    box: Optional[Box],
    hardware: Optional[HardwareCrop] = None,
) -> List[HandPose]:
    """The hand in one region of each frame."""
    fixed, hands = FixedRegion(card, session, source.size_px, box, hardware), []
    for frame in source.frames():
        work = Work(frame)
        for stage in fixed.stages():
            work = stage.work(work)
        hands += work.hands
    return hands


@pytest.mark.parametrize("box", [None, Box(3.0, 5.0, 71.0, 71.0), Box(-20.0, 2.0, 96.0, 60.0)])
def test_a_fixed_region_is_read_alike_on_the_device_and_on_the_host(
    clip: Path, session: AclSession, box: Optional[Box]
) -> None:
    card = converted()
    found = open_device_path(clip, card, session)
    assert isinstance(found, DevicePath)
    with closing(found), closing(VideoSource(clip)) as host:
        ours = follow(found.source, card, session, box, found.hardware)
        theirs = follow(host, card, session, box)
    assert (len(ours), len(theirs)) == (COUNT, COUNT)
    assert found.hardware.describe() == f"{COUNT} views cut by the device"
    moved = [one.joints - other.joints for one, other in zip(ours, theirs)]
    assert np.abs(moved).max() < 1.0
    assert [hand.box for hand in ours] == [hand.box for hand in theirs]


def test_a_region_that_the_hardware_can_not_cut_is_read_by_the_host(
    clip: Path, session: AclSession
) -> None:
    card, box = converted(), Box(20.0, 20.0, 3.0, 3.0)
    found = open_device_path(clip, card, session)
    assert isinstance(found, DevicePath)
    with closing(found), closing(VideoSource(clip)) as host:
        ours = follow(found.source, card, session, box, found.hardware)
        theirs = follow(host, card, session, box)
    assert found.hardware.cuts == 0
    assert list(found.hardware.left.values()) == [COUNT]
    assert "px of the view lie inside" in found.hardware.describe()
    assert len(ours) == len(theirs) > 0
    np.testing.assert_allclose(ours[0].joints, theirs[0].joints, atol=0.2)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (plain_card(), "the model takes numbers that the CPU prepares; convert it with --input"),
        (converted("rgb"), "the model takes rgb, and the hardware gives nv12"),
        (converted("nv21"), "the model takes nv21, and the hardware gives nv12"),
        (
            converted(source_size_px=(96, 96), crop=(8, 8, SIZE, SIZE)),
            "AIPP crops or pads by itself",
        ),
        (converted(padding=(2, 2, 0, 0)), "AIPP crops or pads by itself"),
        (converted(size=40), "the width has to be a multiple of 16"),
        (
            converted(colour_range="full"),
            "the video's colours are bt601-narrow, the model was converted for bt601-wide",
        ),
    ],
    ids=["no AIPP", "rgb", "nv21", "crop", "padding", "width", "colours"],
)
def test_a_model_that_the_hardware_does_not_feed_is_told(
    clip: Path, owner: DeviceOwner, tmp_path: Path, card: ModelCard, words: str
) -> None:
    with AclSession(owner.acl, write_model(tmp_path / "other.om", card)) as session:
        assert words in reason(open_device_path(clip, card, session))


def test_a_full_range_video_fits_a_model_for_it(owner: DeviceOwner, tmp_path: Path) -> None:
    options = ("-vf", "scale=out_range=pc", "-color_range", "pc", *H264)
    path = encode(spot_frames(4, 160, 128), tmp_path / "full.mp4", *options)
    card = converted(colour_range="full")
    with AclSession(owner.acl, write_model(tmp_path / "full.om", card)) as session:
        found = open_device_path(path, card, session)
        assert isinstance(found, DevicePath)
        found.close()
        told = reason(open_device_path(path, converted(), session))
        assert "bt601-wide, the model was converted for bt601-narrow; convert it" in told
        assert told.endswith("--input nv12 --matrix bt601 --range full")


def test_a_video_for_the_cpu_is_told(tmp_path: Path, session: AclSession) -> None:
    path = encode(spot_frames(4, 160, 128), tmp_path / "old.mp4", "-c:v", "mpeg4")
    assert "the hardware decodes H.264 and H.265" in reason(
        open_device_path(path, converted(), session)
    )
    small = encode(spot_frames(4, 120, 120), tmp_path / "small.mp4", *H264)
    assert "this is 120x120 px" in reason(open_device_path(small, converted(), session))


def test_a_turned_video_is_told(clip: Path, tmp_path: Path, session: AclSession) -> None:
    turned = tmp_path / "turned.mp4"
    turn_video(clip, turned)
    assert "turned by" in reason(open_device_path(turned, converted(), session))


def test_what_is_no_video_file_is_told(clip: Path, tmp_path: Path, session: AclSession) -> None:
    (tmp_path / "list.txt").write_text("a.png\n", encoding="utf-8")
    for source in (0, "rtsp://host/stream", "*.png", "-", "\0", str(tmp_path), [clip, clip]):
        assert reason(open_device_path(source, converted(), session)) == (
            "the hardware decodes video files, and the source is none"
        )
    assert "no video" in reason(open_device_path(tmp_path / "list.txt", converted(), session))


def test_on_the_host_there_is_nothing_to_tell(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "hand.onnx").write_bytes(hand_model(SIZE))
    with open_session(tmp_path / "hand.onnx") as session:
        assert open_device_path(clip, plain_card(), session) is None
        with pytest.raises(UsageError, match="the device can't decode and crop") as caught:
            open_device_path(clip, plain_card(), session, decode="device")
    assert "back-end onnxruntime" in str(caught.value)
    assert caught.value.fix


def test_the_user_decides(clip: Path, session: AclSession) -> None:
    assert open_device_path(clip, converted(), session, decode="host") is None
    found = open_device_path(clip, converted(), session, decode="device")
    assert isinstance(found, DevicePath)
    found.close()
    with pytest.raises(UsageError, match="takes rgb"):
        open_device_path(clip, converted("rgb"), session, decode="device")
    with pytest.raises(UsageError, match="'gpu' is no way to decode"):
        open_device_path(clip, converted(), session, decode="gpu")


def test_a_file_that_is_not_readable_is_an_error(tmp_path: Path, session: AclSession) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"")
    assert "no video" in reason(open_device_path(path, converted(), session))


def test_a_device_that_fails_is_an_error_and_no_fallback(clip: Path, tmp_path: Path) -> None:
    fault = "acl.media.dvpp_create_channel=507899"
    model = write_model(tmp_path / "hand.om", converted())
    refused = pytest.raises(DeviceError, match="dvpp_create_channel")
    with simulated_device(fail=fault) as owner, AclSession(owner.acl, model) as session, refused:
        open_device_path(clip, converted(), session)


def test_it_is_closed_before_or_after_its_session(
    clip: Path, owner: DeviceOwner, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "hand.om", converted())
    for path_first in (True, False):
        session = AclSession(owner.acl, model)
        found = open_device_path(clip, converted(), session)
        assert isinstance(found, DevicePath)
        (hand, *_) = follow(found.source, converted(), session, None, found.hardware)
        assert hand.score > 0.5
        for item in (found, session) if path_first else (session, found):
            item.close()
        found.close()
    assert machine_of(owner).ledger.notes() == ()


def test_a_run_that_is_left_early_leaves_nothing(clip: Path, session: AclSession) -> None:
    card = converted()
    found = open_device_path(clip, card, session)
    assert isinstance(found, DevicePath)
    with closing(found):
        plan = found.hardware.plan(Box(0, 0, 100, 100))
        assert not isinstance(plan, Fallback)
        frames = found.source.frames()
        feeds = [found.hardware.cut(next(frames), plan) for _ in range(3)]
    assert len(feeds) == 3


@pytest.mark.slow
def test_any_call_may_fail(clip: Path, tmp_path: Path) -> None:
    """One clear error, and nothing left, whichever call of ACL fails."""
    card, model = converted(), write_model(tmp_path / "hand.om", converted())

    def job() -> None:
        with ExitStack() as stack:
            session = stack.enter_context(open_session(model, backend="simulator"))
            found = open_device_path(clip, card, session)
            assert isinstance(found, DevicePath)
            stack.enter_context(closing(found))
            boxes = (Box(4, 4, 100, 100), Box(-30, -30, 100, 100))
            plans = [found.hardware.plan(box) for box in boxes]
            for number, frame in zip(range(4), found.source.frames()):
                plan = plans[number % 2]
                assert not isinstance(plan, Fallback)
                session.run(found.hardware.cut(frame, plan))

    outcomes = sweep(job, SimulatorSettings(mode="rc"))
    assert len(outcomes) > 60
    mute = "acl.media.dvpp_get_pic_desc_ret_code"
    assert [item for item in outcomes if item.problems and item.call != mute] == []


def in_pipeline(clip: Path, model: Path, decode: str) -> Tuple[np.ndarray, RunReport]:
    pipeline = Pipeline(clip, model, smooth="off", decode=decode, backend="simulator")
    return np.stack([hands[0].joints for _, hands in pipeline]), pipeline.report()


def test_a_run_takes_the_device_path_and_says_so(clip: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "hand.simulated.om", converted())
    card_path_of(model).write_text(card_to_json(converted()), encoding="utf-8")
    ours, report = in_pipeline(clip, model, "auto")
    assert (report.device, report.fallback) == (f"{COUNT} views cut by the device", None)
    assert f"decoded by the device; {COUNT} views" in format_run_report(report)
    theirs, on_host = in_pipeline(clip, model, "host")
    assert (on_host.device, on_host.fallback) == (None, None)
    assert np.abs(ours - theirs).max() < 1.0
    strictly, _ = in_pipeline(clip, model, "device")
    np.testing.assert_array_equal(strictly, ours)


def test_a_run_says_why_the_host_decodes(clip: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "hand.simulated.om", plain_card())
    card_path_of(model).write_text(card_to_json(plain_card()), encoding="utf-8")
    _, report = in_pipeline(clip, model, "auto")
    assert report.device is None
    assert report.fallback is not None
    assert "--input nv12" in report.fallback
    assert report.fallback in format_run_report(report)
    with pytest.raises(UsageError, match="--decode device"):
        in_pipeline(clip, model, "device")


def test_a_picture_is_there_until_the_run_ends(clip: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "hand.simulated.om", converted())
    card_path_of(model).write_text(card_to_json(converted()), encoding="utf-8")
    frames = []
    for frame, _ in Pipeline(clip, model, backend="simulator"):
        frames.append(frame)
        if len(frames) < COUNT:
            assert frame.image.shape == (128, 160, 3)
    assert frames[0].image.shape == (128, 160, 3)
    with pytest.raises(SessionError, match="no longer in device memory"):
        frames[-1].image  # noqa: B018 - looking is the point


def test_hands_that_are_found_are_followed_on_the_device(shared_data: Path, tmp_path: Path) -> None:
    """The shipped networks on a real hand; what the detector sees is fetched."""
    shipped = load_card(default_model_path())
    fed = choose_aipp_input(shipped.preprocess, "nv12")
    aipp = {"image": aipp_spec(shipped.preprocess, fed)}
    model = tmp_path / "hand.simulated.om"
    write_simulated_model(model, SimulatedModel(default_model_path().read_bytes(), aipp=aipp))
    card_path_of(model).write_text(card_to_json(card_with_aipp(shipped, fed)), encoding="utf-8")
    clip = shared_data / "videos" / "one_hand_wall.mp4"
    joints, cuts = {}, {}
    for decode in ("device", "host"):
        pipeline = Pipeline(clip, model, max_hands=1, smooth="off", seconds=0.5, decode=decode)
        joints[decode] = np.stack([hands[0].joints for _, hands in pipeline])
        cuts[decode] = pipeline.report().device
    assert cuts["host"] is None
    count, _, left = str(cuts["device"]).partition(" views cut by the device; by the CPU: ")
    assert int(count) >= 12
    assert "1 mirrored" in left
    # The hand is 280 px large; on the device it is read as tilted as it is.
    moved_px = np.linalg.norm(joints["device"] - joints["host"], axis=-1)
    assert np.median(moved_px) < 6
