"""Videos that the device decodes, as a source of the pipeline, and why it may not."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Iterator, List, Tuple

import imageio_ffmpeg
import numpy as np
import pytest

from atlas_hpe.aipp import CSC_MATRICES, aipp_spec, bgr_to_nv12, choose_aipp_input
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import DeviceError, InputError, SessionError, SourceError, UsageError
from atlas_hpe.geometry import Box, apply_affine, invert_affine
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.drawing import draw_hands
from atlas_hpe_pipelines.sources import (
    DeviceVideo,
    HostVideo,
    VideoSource,
    open_device_video,
    open_source,
)
from atlas_hpe_pipelines.sources.device_frame import DeviceFrame, nv12_to_bgr
from atlas_hpe_runtime.acl.dvpp import Cropper, CropPlan, DvppChannel, annexb, plan_crop
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from clips import encode, spot_frames, variable_rate
from dvpp_device import CopyCounter, machine_of, simulated_device
from tiny_onnx import hand_model

H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
COUNT = 30


@pytest.fixture()
def owner() -> Iterator[DeviceOwner]:
    with simulated_device() as owner:
        yield owner


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return encode(spot_frames(COUNT, 160, 128), path, *H264)


def on_device(path: Path, owner: DeviceOwner) -> DeviceVideo:
    source = open_device_video(path, acl=owner.acl)
    assert isinstance(source, DeviceVideo), str(source.fallback)
    assert source.fallback is None
    return source


def reason(path: Path, owner: DeviceOwner) -> str:
    """Why the device does not decode; OpenCV must then give all frames."""
    source = open_device_video(path, acl=owner.acl)
    assert isinstance(source, HostVideo)
    assert source.fallback is not None
    assert len(list(source.frames())) == source.frame_count
    source.close()
    return source.fallback.reason


def same_frames(source: DeviceVideo, path: Path) -> int:
    """Compare with OpenCV, frame by frame."""
    reference, count = open_source(path), 0
    assert (source.size_px, source.fps, source.frame_count) == (
        reference.size_px,
        reference.fps,
        reference.frame_count,
    )
    for ours, theirs in zip(source.frames(), reference.frames()):
        assert isinstance(ours, DeviceFrame)
        assert (ours.index, ours.size_px) == (theirs.index, theirs.size_px)
        assert ours.time_s == pytest.approx(theirs.time_s, abs=2e-3)
        assert ours.image.shape == theirs.image.shape
        assert np.abs(ours.image.astype(int) - theirs.image).mean() < 2
        count += 1
    assert source.warnings == reference.warnings
    reference.close()
    return count


def test_a_network_sees_each_frame_without_a_pixel_on_the_host(
    tmp_path: Path, owner: DeviceOwner
) -> None:
    """Video -> VDEC -> crop -> AIPP -> joints, mapped back to where the square was drawn."""
    path = encode(spot_frames(COUNT, 160, 128), tmp_path / "clip.mp4", *H264)
    card = PreprocessSpec(64, 64, "rgb", "stretch", (0.0,) * 3, (255.0,) * 3)
    aipp = aipp_spec(card, choose_aipp_input(card, "nv12"))
    write_simulated_model(tmp_path / "m.om", SimulatedModel(hand_model(64), aipp={"image": aipp}))
    # The square moves from 8 to 37; the view begins left of the picture, so there is a border.
    plan = plan_crop((160, 128), Box(-20.3, -10.2, 90, 90), (64, 64))
    assert isinstance(plan, CropPlan)
    source = on_device(path, owner)
    found = []
    with AclSession(owner.acl, tmp_path / "m.om") as session, DvppChannel(owner) as channel:
        cropper = Cropper(channel, border_luma=16)
        out = cropper.make_output((64, 64), "bt601-narrow")
        with CopyCounter(owner) as copies:
            for frame in source.frames():
                assert isinstance(frame, DeviceFrame)
                cropper.crop(frame.picture, plan, out)
                joints = session.run({"image": out.as_tensor(session.inputs[0])})["joints"]
                found.append(apply_affine(invert_affine(plan.affine), joints[0, 10] * 64))
    source.close()
    wanted = np.stack([np.arange(COUNT) + 12.0, np.full(COUNT, 24.0)], axis=1)
    assert np.abs(np.array(found) - wanted).max() < 1.0
    assert max(copies.sizes) < 64 * 64  # coded pictures and outputs; a crop alone is larger


@pytest.mark.parametrize("mode", ["rc", "ep"])
def test_the_frames_are_those_of_opencv(clip: Path, mode: str) -> None:
    with simulated_device(mode) as owner:
        source = on_device(clip, owner)
        assert same_frames(source, clip) == COUNT
        source.close()


def test_h265_is_decoded_too(tmp_path: Path, owner: DeviceOwner) -> None:
    options = ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=0")
    path = encode(spot_frames(COUNT, 160, 128), tmp_path / "clip.mp4", *options)
    source = on_device(path, owner)
    assert same_frames(source, path) == COUNT
    source.close()


def test_times_of_a_variable_rate_are_kept(tmp_path: Path, owner: DeviceOwner) -> None:
    times_s = [0.0, 0.1, 0.15, 0.5, 0.9]
    path = variable_rate(spot_frames(5, 160, 128), tmp_path / "variable.mp4", times_s, *H264)
    source = on_device(path, owner)
    assert [frame.time_s for frame in source.frames()] == pytest.approx(times_s)
    source.close()


def test_a_clip_of_full_range_has_its_colours(tmp_path: Path, owner: DeviceOwner) -> None:
    options = ("-vf", "scale=out_range=pc", "-color_range", "pc", *H264)
    path = encode(spot_frames(4, 160, 128), tmp_path / "full.mp4", *options)
    source = on_device(path, owner)
    assert same_frames(source, path) == 4
    source.close()


@pytest.mark.slow
def test_a_real_clip_is_decoded_as_opencv_does(shared_data: Path, owner: DeviceOwner) -> None:
    path = shared_data / "videos" / "palm_offer_blur_bg.mp4"
    source = on_device(path, owner)
    assert same_frames(source, path) == 202
    source.close()


def test_pixels_are_fetched_only_where_somebody_looks(clip: Path, owner: DeviceOwner) -> None:
    source = on_device(clip, owner)
    with CopyCounter(owner) as copies:
        frames = source.frames()
        first = next(frames)
        sent = list(copies.sizes)
        assert sum(sent) < 20_000  # coded pictures go in
        assert first.size_px == (160, 128)
        assert copies.sizes == sent
        image = first.image
        assert copies.sizes == [*sent, 160 * 128 * 3 // 2]
        assert first.image is image
        assert copies.sizes == [*sent, 160 * 128 * 3 // 2]
    source.close()


def test_a_frame_is_drawn_on_like_any_other(clip: Path, owner: DeviceOwner) -> None:
    source = on_device(clip, owner)
    frame = next(source.frames())
    assert isinstance(frame, Frame)
    assert draw_hands(frame.image, ()).shape == (128, 160, 3)
    source.close()


def test_memory_of_frames_that_are_gone_is_used_again(clip: Path, owner: DeviceOwner) -> None:
    source = on_device(clip, owner)
    for frame in source.frames():
        assert frame.size_px == (160, 128)
        del frame
    gc.collect()
    assert machine_of(owner).faults.counts()["acl.media.dvpp_malloc"] <= 40
    source.close()


def test_a_frame_that_was_not_looked_at_is_gone_with_its_source(
    clip: Path, owner: DeviceOwner
) -> None:
    source = on_device(clip, owner)
    frames = source.frames()
    seen, unseen = next(frames), next(frames)
    assert seen.image.shape == (128, 160, 3)
    source.close()
    source.close()
    assert seen.image.shape == (128, 160, 3)
    with pytest.raises(SessionError, match="no longer in device memory"):
        unseen.image  # noqa: B018 - looking is the point
    with pytest.raises(SessionError, match="closed"):
        next(frames)


def test_several_videos_are_decoded_at_once(clip: Path, owner: DeviceOwner) -> None:
    """Each decoder takes a channel of its own, and gives it back."""
    sources = [on_device(clip, owner) for _ in range(3)]
    assert [next(source.frames()).index for source in sources] == [0, 0, 0]
    sources[1].close()
    with pytest.raises(UsageError, match="channel 2 of the video decoder is in use"):
        open_device_video(clip, acl=owner.acl, channel_id=2)
    open_device_video(clip, acl=owner.acl, channel_id=1).close()
    for source in sources:
        source.close()
    assert owner.video_channels == set()


def test_a_source_that_is_never_read_leaves_nothing(clip: Path, owner: DeviceOwner) -> None:
    on_device(clip, owner).close()


@pytest.mark.parametrize(
    ("options", "size_px", "words"),
    [
        (("-c:v", "mpeg4"), (160, 128), "decodes H.264 and H.265, this is"),
        (H264, (120, 128), "128x128 to 4096x4096 px, this is 120x128 px"),
        (("-c:v", "libx264", "-pix_fmt", "yuv444p"), (160, 128), "profile 244"),
        ((*H264, "-flags", "+ildct+ilme"), (160, 128), "interlaced"),
        (
            ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=0"),
            (160, 128),
            "10 bits",
        ),
    ],
    ids=["codec", "size", "chroma", "interlaced", "10 bits"],
)
def test_what_the_hardware_does_not_take_goes_to_opencv(
    tmp_path: Path,
    owner: DeviceOwner,
    options: Tuple[str, ...],
    size_px: Tuple[int, int],
    words: str,
) -> None:
    path = encode(spot_frames(5, *size_px), tmp_path / "clip.mp4", *options)
    assert words in reason(path, owner)
    assert "acl.media.vdec_create_channel" not in machine_of(owner).faults.counts()


def test_a_turned_video_goes_to_opencv(tmp_path: Path, clip: Path, owner: DeviceOwner) -> None:
    turned = tmp_path / "turned.mp4"
    turn_video(clip, turned)
    assert "turned by" in reason(turned, owner)


def test_a_video_whose_pictures_are_shown_in_another_size_goes_to_opencv(
    clip: Path, owner: DeviceOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stretched(VideoSource):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.size_px = (200, 128)

    monkeypatch.setattr("atlas_hpe_pipelines.sources.device_video.VideoSource", Stretched)
    assert reason(clip, owner) == "the pictures are 160x128 px and shown as 200x128 px"


def turn_video(path: Path, out: Path) -> None:
    """Write the matrix of a quarter turn into the track header (ISO 14496-12, section 8.3.2)."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4
    assert content[start] == 0  # version 0: the matrix stands 40 bytes behind the version
    one, minus = (1 << 16).to_bytes(4, "big"), (-(1 << 16)).to_bytes(4, "big", signed=True)
    zero = bytes(4)
    matrix = (zero, one, zero, minus, zero, zero, zero, zero, (1 << 30).to_bytes(4, "big"))
    content[start + 40 : start + 76] = b"".join(matrix)
    out.write_bytes(content)


def test_without_a_device_opencv_decodes(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "acl", None)
    source = open_device_video(clip)
    assert source.fallback is not None
    assert "'acl'" in source.fallback.reason
    assert len(list(source.frames())) == COUNT
    source.close()


def test_without_ffmpeg_opencv_decodes(
    clip: Path, owner: DeviceOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise RuntimeError("no ffmpeg exe could be found")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    assert "needs an ffmpeg" in reason(clip, owner)


def test_a_stream_that_ffmpeg_can_not_take_out_goes_to_opencv(
    clip: Path, owner: DeviceOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object) -> List[str]:
        return ["false"]

    monkeypatch.setattr(annexb, "build_command", stopped)
    assert "ended with code" in reason(clip, owner) or "alone" in reason(clip, owner)


@pytest.mark.parametrize("content", [b"", b"no video" * 99])
def test_what_is_no_video_is_refused(tmp_path: Path, owner: DeviceOwner, content: bytes) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="no frame can be decoded"):
        open_device_video(path, acl=owner.acl)


def test_a_missing_file_is_refused(tmp_path: Path, owner: DeviceOwner) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_device_video(tmp_path / "none.mp4", acl=owner.acl)


def test_a_device_that_fails_is_an_error_and_no_fallback(clip: Path) -> None:
    fault = "acl.media.vdec_create_channel=507899"
    refused = pytest.raises(DeviceError, match="vdec_create_channel")
    with simulated_device(fail=fault) as owner, refused:
        open_device_video(clip, acl=owner.acl)


def test_a_video_that_changes_its_size_is_refused(tmp_path: Path, owner: DeviceOwner) -> None:
    parts = b""
    for name, size in (("a", (160, 128)), ("b", (192, 128))):
        parts += encode(spot_frames(5, *size), tmp_path / f"{name}.h264", *H264).read_bytes()
    path = tmp_path / "changes.h264"
    path.write_bytes(parts)
    source = on_device(path, owner)
    with pytest.raises(SourceError, match="changes its form"):
        list(source.frames())
    source.close()


def test_a_truncated_file_gives_what_there_is_and_says_so(
    tmp_path: Path, owner: DeviceOwner
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 128, 160, 3), dtype=np.uint8)
    whole = encode(noise, tmp_path / "whole.mp4", *H264, "-movflags", "+faststart", "-g", "5")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    source = on_device(cut, owner)
    read = len(list(source.frames()))
    source.close()
    assert 5 < read < COUNT
    assert any("declares" in text or "left out" in text for text in source.warnings)


def test_a_damaged_picture_leaves_a_gap_and_a_warning(
    clip: Path, owner: DeviceOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, lost = owner.acl.try_call, []

    def worn(name: str, *args: object) -> Tuple[object, int]:
        value, code = call(name, *args)
        if name == "media.dvpp_get_pic_desc_ret_code":
            lost.append(name)
            if len(lost) in (4, 5):
                return 500001, 0
        return value, code

    monkeypatch.setattr(owner.acl, "try_call", worn)
    source = on_device(clip, owner)
    frames = [(frame.index, frame.time_s) for frame in source.frames()]
    source.close()
    assert [index for index, _ in frames] == [0, 1, 2, *range(5, COUNT)]
    assert [time_s for _, time_s in frames] == pytest.approx([index / 25 for index, _ in frames])
    assert source.warnings == [f"{clip}: damaged frames left out: 2"]


@pytest.mark.parametrize("matrix", ["bt601-narrow", "bt601-wide"])
def test_colours_for_drawing_are_those_of_the_matrix(matrix: str) -> None:
    bgr = np.zeros((64, 96, 3), np.uint8)
    bgr[:, :32], bgr[:, 32:64], bgr[:, 64:] = (40, 90, 200), (200, 160, 30), (90, 90, 90)
    back = nv12_to_bgr(bgr_to_nv12(bgr, matrix), matrix)
    assert np.abs(back.astype(int) - bgr).max() <= 3
    assert matrix in CSC_MATRICES
