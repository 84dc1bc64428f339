"""From a video file to joints and outputs, with a model whose answers are known."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import cv2
import numpy as np
import pytest

import atlas_hpe_pipelines.hands as hands_of_a_run
import clips
import tiny_onnx
from atlas_hpe.errors import AtlasHpeError, DeviceError, OutputError, UsageError
from atlas_hpe.geometry import Box
from atlas_hpe.outfile import AtomicFile
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines import DrawOptions, OutputOptions, Pipeline
from atlas_hpe_pipelines.outputs import Outputs
from atlas_hpe_pipelines.sinks.npz import NpzSink
from atlas_hpe_pipelines.sinks.video import Mp4Sink

pytest.importorskip("onnxruntime")


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    return clips.encode(clips.spot_frames(20), tmp_path / "clip.mp4", "-crf", "5")


def files_beside(path: Path) -> List[str]:
    return sorted(item.name for item in path.parent.iterdir() if item != path)


def test_the_joints_follow_the_hand_in_source_pixels(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path)
    for frame, hands in pipeline:
        assert len(hands) == 1
        middle = hands[0].joints[10]
        np.testing.assert_allclose(middle, [12 + frame.index, 24], atol=1.0)
        assert (hands[0].frame_index, hands[0].time_s) == (frame.index, frame.time_s)
    report = pipeline.report()
    assert (report.frames, report.frames_with_hand, report.backend) == (20, 20, "onnxruntime")
    assert [stage.name for stage in report.stages] == [
        "decode",
        "crop",
        "infer",
        "joints",
        "smooth",
    ]


def test_a_box_looks_only_there(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path, box=Box(0, 10, 24, 24))
    found = {frame.index: bool(hands) for frame, hands in pipeline}
    assert found[0]
    assert not found[19]  # the spot has left the box, and black is no hand
    assert pipeline.report().frames_with_hand == sum(found.values())


@pytest.mark.parametrize(
    ("box", "expected"),
    [(Box(2, 10, 24, 20), (2, 10, 24, 20)), (None, (0, 0, 64, 48))],
    ids=["box", "whole frame"],
)
def test_a_hand_carries_the_region_it_was_looked_for_in(
    clip_path: Path, model_path: Path, box: Optional[Box], expected: Tuple[int, ...]
) -> None:
    hands = [hand for _, found in Pipeline(clip_path, model_path, box=box) for hand in found]
    assert hands
    assert {hand.box for hand in hands} == {expected}


def test_the_time_of_a_run_lasts_from_the_first_frame_asked_for_to_the_whole_output(
    clip_path: Path, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_s = [100.0]
    publish = AtomicFile.publish

    def publish_in_three_seconds(file: AtomicFile) -> None:
        clock_s[0] += 3
        publish(file)

    monkeypatch.setattr("atlas_hpe_pipelines.pipeline.perf_counter", lambda: clock_s[0])
    monkeypatch.setattr(AtomicFile, "publish", publish_in_three_seconds)
    pipeline = Pipeline(clip_path, model_path, out=[tmp_path / "hands.jsonl"])
    assert (pipeline.report().total_s, pipeline.report().frames_per_s) == (0, 0)
    clock_s[0] += 50  # between making a pipeline and running it
    for _ in pipeline:
        clock_s[0] += 0.25
    report = pipeline.report()
    assert report.total_s == pytest.approx(20 * 0.25 + 3)
    assert report.frames_per_s == pytest.approx(20 / 8)


def test_all_outputs_hold_all_frames(clip_path: Path, model_path: Path, tmp_path: Path) -> None:
    out = [tmp_path / name for name in ("hands.gif", "hands.mp4", "hands.jsonl", "more.gif")]
    pipeline = Pipeline(clip_path, model_path, out=out)
    frames = sum(1 for _ in pipeline)
    lines = [json.loads(line) for line in out[2].read_text().splitlines()]
    assert frames == len(lines) == 20
    assert all(path.stat().st_size > 0 for path in out)
    names = [stage.name for stage in pipeline.report().stages]
    assert names[5:] == ["draw", "gif (1)", "mp4", "jsonl", "gif (2)"]


def test_joints_alone_are_not_drawn(clip_path: Path, model_path: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path, out=[tmp_path / "hands.jsonl"])
    for _ in pipeline:
        pass
    assert "draw" not in [stage.name for stage in pipeline.report().stages]


def test_leaving_early_removes_the_outputs(
    clip_path: Path, model_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    iterator = iter(Pipeline(clip_path, model_path, out=[folder / "a.gif", folder / "a.mp4"]))
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    assert list(folder.iterdir()) == []


def test_a_failing_stage_leaves_no_output(
    clip_path: Path, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    pipeline = Pipeline(clip_path, model_path, out=[folder / "a.gif", folder / "a.jsonl"])
    session_run, calls = pipeline._models.session.run, []

    def fail_at_the_fifth(feeds: dict) -> dict:
        calls.append(1)
        if len(calls) == 5:
            raise DeviceError("the device went away")
        return session_run(feeds)

    monkeypatch.setattr(pipeline._models.session, "run", fail_at_the_fifth)
    with pytest.raises(DeviceError, match="went away"):
        list(pipeline)
    assert list(folder.iterdir()) == []


def test_an_output_that_fails_at_its_end_takes_the_others_with_it(
    clip_path: Path, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def interrupted(sink: Mp4Sink) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Mp4Sink, "_complete", interrupted)
    names = ["a.npz", "a.mp4", "a.jsonl", "pictures/"]
    with pytest.raises(KeyboardInterrupt):
        list(Pipeline(clip_path, model_path, out=[f"{folder}/{name}" for name in names]))
    assert list(folder.iterdir()) == []


def test_an_interruption_waits_until_all_outputs_have_their_names(
    clip_path: Path, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    publish = NpzSink._publish

    def interrupt_and_publish(sink: NpzSink) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        publish(sink)

    monkeypatch.setattr(NpzSink, "_publish", interrupt_and_publish)
    with pytest.raises(KeyboardInterrupt):
        list(Pipeline(clip_path, model_path, out=[folder / "a.npz", folder / "a.jsonl"]))
    assert sorted(path.name for path in folder.iterdir()) == ["a.jsonl", "a.npz"]


def test_bad_outputs_are_refused_before_any_work(clip_path: Path, model_path: Path) -> None:
    with pytest.raises(OutputError):
        Pipeline(clip_path, model_path, out=[clip_path.with_suffix(".xyz")])
    with pytest.raises(OutputError):
        Pipeline(clip_path, model_path, out=[clip_path])


def test_no_output_is_written_twice_or_over_the_source(clip_path: Path, model_path: Path) -> None:
    out = clip_path.with_name("hands.gif")
    with pytest.raises(OutputError, match="given twice"):
        Pipeline(clip_path, model_path, out=[out, out.parent / "." / "hands.gif"])
    with pytest.raises(OutputError, match="is read"):
        Pipeline(clip_path, model_path, out=[clip_path], force=True)
    assert clip_path.stat().st_size > 0


def test_standard_input_and_standard_output_are_two_things(model_path: Path) -> None:
    outputs = Outputs(["-"], {}, OutputOptions(), force=False)
    outputs.check_apart(["-", model_path, None])


def test_a_box_outside_the_picture_is_refused(clip_path: Path, model_path: Path) -> None:
    with pytest.raises(UsageError, match="outside the picture"):
        Pipeline(clip_path, model_path, box=Box(64, 0, 10, 10))


def test_a_box_may_be_a_tuple_and_out_a_single_path(
    clip_path: Path, model_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "one.jsonl"
    with Pipeline(clip_path, model_path, box=(0, 10, 24, 24), out=str(out)) as pipeline:
        frames = sum(1 for _ in pipeline)
    assert len(out.read_text().splitlines()) == frames == 20


def test_numbers_that_are_none_are_counted(
    clip_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(clip_path, model_path)
    broken = {"joints": np.full((1, 21, 2), np.nan), "presence": np.ones((1, 1))}
    monkeypatch.setattr(pipeline._models.session, "run", lambda feeds: broken)
    assert [hands for _, hands in pipeline] == [()] * 20
    assert pipeline.report().warnings == (
        "tiny hand: the network gave NaN or infinite numbers in 20 of 20 frames",
    )


def test_a_pipeline_runs_once(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path)
    list(pipeline)
    with pytest.raises(UsageError, match="once"):
        list(pipeline)
    unused = Pipeline(clip_path, model_path)
    unused.close()
    with pytest.raises(AtlasHpeError):
        list(unused)


def test_a_stop_ends_the_run_and_finishes_the_outputs(
    clip_path: Path, model_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "some.jsonl"
    pipeline = Pipeline(clip_path, model_path, out=out)
    pipeline.stop()
    frames = [frame.index for frame, _ in pipeline]
    assert frames == [0]
    assert len(out.read_text().splitlines()) == 1
    assert pipeline.report().interrupted


def test_seconds_end_the_run(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path, seconds=0.4)
    assert [frame.index for frame, _ in pipeline] == list(range(10))
    assert not pipeline.report().interrupted


def test_a_report_can_be_read_while_the_run_goes_on(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path)
    assert pipeline.report().frames == 0
    for frame, _ in pipeline:
        assert pipeline.report().frames == frame.index + 1
        assert pipeline.report().total_s > 0


def test_what_the_network_does_not_give_is_not_drawn(clip_path: Path, model_path: Path) -> None:
    with pytest.raises(UsageError, match="no heatmaps"):
        Pipeline(clip_path, model_path, drawing=DrawOptions(heatmap=True))


def test_a_colour_model_is_shown_depth_in_false_colours(model_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "depth"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64), 400 + number, np.uint16))
    pipeline = Pipeline(folder, model_path)
    depths = [frame.depth_mm for frame, _ in pipeline]
    assert [depth is not None and float(depth[0, 0]) for depth in depths] == [400, 401, 402]
    assert "false colours" in pipeline.report().warnings[0]


def test_pictures_in_the_folder_of_the_outputs_are_not_written_over(
    model_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    picture = folder / "000000.png"
    cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    listing = tmp_path / "list.txt"
    listing.write_text("frames/000000.png\n")
    for source in (picture, folder, listing, f"{tmp_path}/fr*/*.png", [picture]):
        with pytest.raises(OutputError, match="would overwrite"):
            Pipeline(source, model_path, out=f"{folder}/", force=True)
    assert picture.exists()


def test_a_sink_that_is_open_already_stays_open(clip_path: Path, model_path: Path) -> None:
    kept = Kept()
    pipeline = Pipeline(clip_path, model_path, sinks={"kept": kept}, max_width_px=32)
    assert len(list(pipeline)) == len(kept.sizes) == 20
    assert set(kept.sizes) == {(24, 32, 3)}
    assert [stage.name for stage in pipeline.report().stages][-2:] == ["draw", "kept"]


def test_no_two_stages_have_one_name(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path, sinks={"draw": Kept()})
    with pytest.raises(UsageError, match="two stages have one name"):
        list(pipeline)


@pytest.mark.parametrize("limit", [{"seconds": float("nan")}, {"seconds": 0}, {"max_width_px": 0}])
def test_an_impossible_limit_is_refused(
    clip_path: Path, model_path: Path, limit: Dict[str, float]
) -> None:
    with pytest.raises(UsageError):
        Pipeline(clip_path, model_path, **limit)  # type: ignore[arg-type]


def test_the_time_of_a_run_that_was_left_stands_still(clip_path: Path, model_path: Path) -> None:
    pipeline = Pipeline(clip_path, model_path)
    frames = iter(pipeline)
    next(frames)
    frames.close()
    assert pipeline.report().total_s == pipeline.report().total_s > 0


class Kept:
    """A sink that notes the pictures it is given; it has neither finish nor abort."""

    wants_picture = True
    dropped = 0

    def __init__(self) -> None:
        self.sizes: List[Tuple[int, ...]] = []

    def write(self, frame: Frame, picture: Optional[np.ndarray], hands: object) -> None:
        assert picture is not None
        self.sizes.append(picture.shape)


@pytest.mark.parametrize("wanted", [False, True])
def test_heatmaps_are_read_only_where_they_are_drawn(
    clip_path: Path, model_path: Path, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = hands_of_a_run.FixedRegion

    def open_region(*arguments: object, heatmaps: bool) -> hands_of_a_run.FixedRegion:
        asked.append(heatmaps)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(hands_of_a_run, "FixedRegion", open_region)
    monkeypatch.setattr("atlas_hpe_pipelines.contract.gives_heatmaps", lambda card: True)
    Pipeline(clip_path, model_path, drawing=DrawOptions(heatmap=wanted)).close()
    assert asked == [wanted]
