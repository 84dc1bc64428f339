"""Poses as JSON lines: the published schema holds, and what is read is what was written."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any, List, Optional, Tuple

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.errors import InputError
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.sinks import FrameRecord, load_schema, open_sink, read_jsonl

IMAGE = np.zeros((2, 2, 3), np.uint8)
# Heatmaps are for drawing; no file holds them.
WRITTEN = [field.name for field in dataclasses.fields(HandPose) if field.name != "heatmaps"]


def make_hand(**fields: Any) -> HandPose:
    values = {
        "joints": np.arange(42.0).reshape(21, 2),
        "joint_scores": np.full(21, 0.5),
        "score": 0.75,
        "box": (1.0, 2.0, 3.0, 4.5),
        "frame_index": 3,
        "time_s": 0.1,
    }
    return HandPose(**{**values, **fields})


def write_frames(path: Path, frames: List[Tuple[Frame, List[HandPose]]]) -> List[str]:
    with open_sink(path, fps=25.0, size_px=(2, 2), force=True) as sink:
        for frame, hands in frames:
            sink.write(frame, None, hands)
    return path.read_text(encoding="utf-8").splitlines()


def assert_same_hand(read: HandPose, written: HandPose) -> None:
    for field in dataclasses.fields(HandPose):
        got, expected = getattr(read, field.name), getattr(written, field.name)
        if expected is None or isinstance(expected, str):
            assert got == expected, field.name
        else:
            np.testing.assert_array_equal(
                np.asarray(got, np.float64), np.asarray(expected, np.float64), field.name
            )


def test_the_line_of_an_example(tmp_path: Path) -> None:
    hand = make_hand(handedness="left", handedness_score=0.9, track_id=4)
    (line,) = write_frames(tmp_path / "a.jsonl", [(Frame(3, 0.1, IMAGE), [hand])])
    assert line.startswith('{"frame":3,"time_s":0.1,"hands":[{"joints":[[0.0,1.0],[2.0,3.0],')
    record = json.loads(line)["hands"][0]
    assert list(record) == WRITTEN
    assert record["box"] == [1.0, 2.0, 3.0, 4.5]
    assert (record["handedness"], record["track_id"], record["joints_3d"]) == ("left", 4, None)


def test_a_frame_without_hands(tmp_path: Path) -> None:
    (line,) = write_frames(tmp_path / "a.jsonl", [(Frame(0, 0.0, IMAGE), [])])
    assert line == '{"frame":0,"time_s":0.0,"hands":[]}'


def test_what_json_has_not_is_null(tmp_path: Path) -> None:
    joints = np.arange(42, dtype=np.float32).reshape(21, 2)
    joints[4] = np.nan
    joints[5, 0] = np.inf
    hand = make_hand(joints=joints, score=float("nan"))
    (line,) = write_frames(tmp_path / "a.jsonl", [(Frame(0, 0.0, IMAGE), [hand])])
    assert "NaN" not in line and "Infinity" not in line
    record = json.loads(line)["hands"][0]
    assert record["joints"][4] == [None, None]
    assert record["joints"][5] == [None, 11.0]
    assert record["score"] is None
    ((read,),) = (item.hands for item in read_jsonl(tmp_path / "a.jsonl"))
    assert np.isnan(read.joints[4]).all() and np.isnan(read.score)


def test_the_schema_names_every_field() -> None:
    schema: Any = load_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    hand = schema["definitions"]["hand"]
    assert set(hand["properties"]) == set(hand["required"]) == set(WRITTEN)
    assert set(schema["properties"]) == {field.name for field in dataclasses.fields(FrameRecord)}


@pytest.mark.parametrize(
    "change",
    [
        {"joints": [[1.0, 2.0]] * 20},
        {"joints": [[1.0, 2.0, 3.0]] * 21},
        {"handedness": "up"},
        {"track_id": 1.5},
        {"score": 2.0},
        {"colour": "blue"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses(tmp_path: Path, change: Any) -> None:
    (line,) = write_frames(tmp_path / "a.jsonl", [(Frame(0, 0.0, IMAGE), [make_hand()])])
    record = json.loads(line)
    jsonschema.validate(record, load_schema())
    record["hands"][0].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, load_schema())


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, width=32)


def arrays(rows: int, columns: Optional[int], numbers: Any) -> Any:
    """(rows, columns) or (rows,) float64."""
    if columns is None:
        return st.lists(numbers, min_size=rows, max_size=rows).map(np.array)
    shape = (rows, columns)
    count = rows * columns
    return st.lists(numbers, min_size=count, max_size=count).map(
        lambda values: np.array(values).reshape(shape)
    )


pixels = floats(-1e5, 1e5)
scores = floats(0, 1)
hands = st.builds(
    HandPose,
    joints=arrays(21, 2, st.one_of(pixels, st.just(float("nan")))),
    joint_scores=arrays(21, None, scores),
    score=scores,
    box=st.tuples(pixels, pixels, floats(0, 1e4), floats(0, 1e4)),
    frame_index=st.integers(0, 10**9),
    time_s=st.floats(0, 1e6),
    handedness=st.sampled_from([None, "left", "right"]),
    handedness_score=st.one_of(st.none(), floats(0.5, 1)),
    track_id=st.one_of(st.none(), st.integers(0, 1000)),
    joints_3d=st.one_of(st.none(), arrays(21, 3, floats(-2, 2))),
    joints_3d_frame=st.one_of(st.none(), st.sampled_from(["root-relative", "Kamera ü 手"])),
    depth=st.one_of(st.none(), arrays(21, None, st.one_of(pixels, st.just(float("nan"))))),
)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.floats(0, 1e6), st.lists(hands, max_size=2)),
        max_size=3,
    )
)
def test_what_is_read_is_what_was_written(frames: Any) -> None:
    written = [(Frame(index, time_s, IMAGE), found) for index, time_s, found in frames]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        lines = write_frames(path, written)
        records = list(read_jsonl(path))
    for line in lines:
        jsonschema.validate(json.loads(line), load_schema())
    assert len(records) == len(written)
    for record, (frame, found) in zip(records, written):
        assert (record.frame, record.time_s) == (frame.index, frame.time_s)
        assert len(record.hands) == len(found)
        for read, expected in zip(record.hands, found):
            assert_same_hand(read, expected)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"frame":0}',
        '{"frame":0,"time_s":0,"hands":[{}]}',
        '{"frame":0,"time_s":0,"hands":[{"joints":[[1,2]]}]}',
        '{"frame":"x","time_s":0,"hands":[]}',
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"frame":0,"time_s":0.0,"hands":[]}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list(read_jsonl(path))
    assert caught.value.where is not None and caught.value.where.endswith("line 2")


def test_numbers_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    (line,) = write_frames(path, [(Frame(0, 0.0, IMAGE), [make_hand()])])
    record = json.loads(line)
    record["hands"][0]["joints"].pop()
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^a line of the pose file is not one frame"):
        list(read_jsonl(path))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^the pose file can't be read"):
        list(read_jsonl(tmp_path / "none.jsonl"))
