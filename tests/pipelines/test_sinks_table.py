"""Poses as a table (.csv) and as arrays (.npz): what is read is what was written."""

from __future__ import annotations

import csv
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.errors import OutputError
from atlas_hpe.hands import JOINT_NAMES
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.sinks import open_sink
from atlas_hpe_pipelines.sinks.table import COLUMNS

IMAGE = np.zeros((2, 2, 3), np.uint8)
Frames = List[Tuple[Frame, List[HandPose]]]


def make_hand(seed: int = 0, **fields: Any) -> HandPose:
    rng = np.random.RandomState(seed)
    values = {
        "joints": rng.uniform(-10, 2000, (21, 2)),
        "joint_scores": rng.uniform(0, 1, 21).astype(np.float32),
        "score": 0.75,
        "box": (1.0, 2.0, 3.0, 4.5),
        "frame_index": 3,
        "time_s": 0.1,
    }
    return HandPose(**{**values, **fields})


def write(path: Path, frames: Frames) -> None:
    with open_sink(path, fps=25.0, size_px=(2, 2), force=True) as sink:
        for frame, hands in frames:
            sink.write(frame, None, hands)


def read_table(path: Path) -> List[Dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_arrays(path: Path) -> Dict[str, np.ndarray]:
    with np.load(str(path), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def number(cell: str) -> float:
    return float(cell) if cell else float("nan")


def example() -> Frames:
    joints = make_hand(1).joints.copy()
    joints[4] = np.nan
    tracked = make_hand(
        1,
        joints=joints,
        handedness="left",
        handedness_score=0.9,
        track_id=4,
        depth=np.arange(21.0),
        joints_3d=np.arange(63.0).reshape(21, 3),
        joints_3d_frame="root-relative",
    )
    return [
        (Frame(0, 0.0, IMAGE), []),
        (Frame(1, 0.04, IMAGE), [tracked, make_hand(2)]),
        (Frame(3, 0.12, IMAGE), [make_hand(3, track_id=5)]),
    ]


def test_the_header_names_joints_and_units(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [])
    (line,) = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert line == ",".join(COLUMNS)
    assert line.startswith("frame,time_s,track_id,handedness,handedness_score,score,box_x_px,")
    assert "wrist_x_px,wrist_y_px,wrist_score,thumb1_x_px" in line
    assert len(COLUMNS) == 10 + 63


def test_a_row_for_each_hand_and_one_for_a_frame_without(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", example())
    rows = read_table(tmp_path / "a.csv")
    assert [(row["frame"], row["time_s"], row["track_id"], row["handedness"]) for row in rows] == [
        ("0", "0.0", "", ""),
        ("1", "0.04", "4", "left"),
        ("1", "0.04", "", ""),
        ("3", "0.12", "5", ""),
    ]
    assert not any(rows[0][name] for name in COLUMNS[2:])
    assert rows[1]["thumb4_x_px"] == rows[1]["thumb4_y_px"] == ""
    assert rows[1]["thumb4_score"] != ""
    assert rows[2]["handedness_score"] == ""


def test_the_arrays_of_an_example(tmp_path: Path) -> None:
    frames = example()
    write(tmp_path / "a.npz", frames)
    arrays = read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays["all_frames"], [0, 1, 3])
    np.testing.assert_array_equal(arrays["all_times_s"], [0.0, 0.04, 0.12])
    np.testing.assert_array_equal(arrays["frame"], [1, 1, 3])
    np.testing.assert_array_equal(arrays["time_s"], [0.04, 0.04, 0.12])
    np.testing.assert_array_equal(arrays["track_id"], [4, -1, 5])
    assert arrays["handedness"].tolist() == ["left", "", ""]
    assert arrays["joint_names"].tolist() == list(JOINT_NAMES)
    assert arrays["joints_3d_frame"].item() == "root-relative"
    assert np.isnan(arrays["handedness_score"][1:]).all()
    assert np.isnan(arrays["depth"][1:]).all() and np.isnan(arrays["joints_3d"][1:]).all()
    np.testing.assert_array_equal(arrays["depth"][0], np.arange(21))
    np.testing.assert_array_equal(arrays["joints_3d"][0], np.arange(63).reshape(21, 3))


def test_a_run_without_hands_has_arrays_of_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", [(Frame(0, 0.0, IMAGE), [])])
    arrays = read_arrays(tmp_path / "a.npz")
    assert arrays["joints"].shape == (0, 21, 2)
    assert arrays["joints_3d"].shape == (0, 21, 3)
    assert arrays["joints_3d_frame"].item() == ""
    assert len(arrays["all_frames"]) == 1


def test_more_rows_than_are_copied_at_once(tmp_path: Path) -> None:
    hands = [make_hand(seed) for seed in range(3)]
    frames = [(Frame(index, index / 25, IMAGE), [hands[index % 3]]) for index in range(1300)]
    write(tmp_path / "a.npz", frames)
    arrays = read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays["frame"], np.arange(1300))
    np.testing.assert_array_equal(arrays["joints"][1299], hands[1299 % 3].joints)


pixels = st.one_of(st.floats(-1e5, 1e5, allow_nan=False), st.just(float("nan")))
scores = st.floats(0, 1, allow_nan=False)


def arrays_of(shape: Tuple[int, ...], numbers: Any) -> Any:
    count = int(np.prod(shape))
    return st.lists(numbers, min_size=count, max_size=count).map(
        lambda values: np.array(values).reshape(shape)
    )


hands_strategy = st.builds(
    HandPose,
    joints=arrays_of((21, 2), pixels),
    joint_scores=arrays_of((21,), scores),
    score=scores,
    box=st.tuples(pixels, pixels, pixels, pixels),
    frame_index=st.just(0),
    time_s=st.just(0.0),
    handedness=st.sampled_from([None, "left", "right"]),
    handedness_score=st.one_of(st.none(), scores),
    track_id=st.one_of(st.none(), st.integers(0, 1000)),
    joints_3d=st.one_of(st.none(), arrays_of((21, 3), pixels)),
    depth=st.one_of(st.none(), arrays_of((21,), pixels)),
)
frames_strategy = st.lists(
    st.tuples(
        st.builds(Frame, st.integers(0, 10**9), st.floats(0, 1e6), st.just(IMAGE)),
        st.lists(hands_strategy, max_size=2),
    ),
    max_size=3,
)


def expect(value: Any, shape: Sequence[int]) -> np.ndarray:
    return np.full(shape, np.nan) if value is None else np.asarray(value, np.float64)


@settings(max_examples=25, deadline=None)
@given(frames_strategy)
def test_the_table_reads_back_the_same(frames: Frames) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "a.csv", frames)
        rows = iter(read_table(Path(folder) / "a.csv"))
    for frame, hands in frames:
        for hand in hands or [None]:
            row = next(rows)
            assert (int(row["frame"]), float(row["time_s"])) == (frame.index, frame.time_s)
            if hand is None:
                continue
            assert row["track_id"] == ("" if hand.track_id is None else str(hand.track_id))
            assert row["handedness"] == (hand.handedness or "")
            for name in ("score", "handedness_score"):
                np.testing.assert_array_equal(number(row[name]), expect(getattr(hand, name), ()))
            box = [number(row[f"box_{side}_px"]) for side in ("x", "y", "width", "height")]
            np.testing.assert_array_equal(box, hand.box)
            for joint, name in enumerate(JOINT_NAMES):
                place = [number(row[f"{name}_{axis}_px"]) for axis in "xy"]
                np.testing.assert_array_equal(place, hand.joints[joint])
                assert number(row[f"{name}_score"]) == hand.joint_scores[joint]
    assert next(rows, None) is None


@settings(max_examples=25, deadline=None)
@given(frames_strategy)
def test_the_arrays_read_back_the_same(frames: Frames) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "a.npz", frames)
        arrays = read_arrays(Path(folder) / "a.npz")
    assert arrays["all_frames"].tolist() == [frame.index for frame, _ in frames]
    flat = [(frame, hand) for frame, hands in frames for hand in hands]
    assert arrays["frame"].tolist() == [frame.index for frame, _ in flat]
    assert arrays["time_s"].tolist() == [frame.time_s for frame, _ in flat]
    shapes = {"joints": (21, 2), "joint_scores": (21,), "depth": (21,), "joints_3d": (21, 3)}
    for row, (_, hand) in enumerate(flat):
        assert arrays["track_id"][row] == (-1 if hand.track_id is None else hand.track_id)
        assert arrays["handedness"][row] == (hand.handedness or "")
        for name in ("score", "handedness_score", "box", *shapes):
            shape = shapes.get(name, ())
            np.testing.assert_array_equal(arrays[name][row], expect(getattr(hand, name), shape))


@pytest.mark.parametrize("kind", [".csv", ".npz", ".jsonl"])
def test_memory_does_not_grow_with_the_run(tmp_path: Path, kind: str) -> None:
    hand = make_hand()
    sink = open_sink(tmp_path / f"a{kind}", fps=25.0, size_px=(2, 2))

    def add(first: int, count: int) -> None:
        for index in range(first, first + count):
            sink.write(Frame(index, index / 25, IMAGE), None, [hand])

    add(0, 200)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        add(200, 3000)
        sink.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 3000 rows are 4 MB of numbers and more of text; a chunk that is copied may be held.
    assert peak - before < 2_500_000


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    def refuse(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "open", refuse)
    with pytest.raises(OutputError, match="can't be written") as caught:
        write(tmp_path / "a.npz", example())
    assert caught.value.why == "No space left on device"
    assert list(tmp_path.iterdir()) == []
