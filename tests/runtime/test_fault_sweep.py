"""Every place from which a run calls ACL fails once: one clear error, and nothing stays."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Callable

import pytest
from acl_board import negation, random_array, write_model

import clips
import tiny_onnx
from atlas_hpe.errors import DeviceError
from atlas_hpe_pipelines import Pipeline
from atlas_hpe_runtime import open_session
from atlas_hpe_runtime.simulator import SimulatorSettings
from atlas_hpe_runtime.simulator.sweep import Outcome, record_calls, sweep, write_table

pytest.importorskip("onnxruntime")

#: What the sweep of a whole run leaves for the reader.
TABLE = Path(__file__).parents[2] / "build" / "fault_sweep.csv"


@pytest.fixture
def whole_run(tmp_path: Path) -> Callable[[], None]:
    """A clip through the pipeline, as `atlas-hpe run` does it."""
    model, clip = tmp_path / "tiny.onnx", tmp_path / "clip.mp4"
    model.write_bytes(tiny_onnx.hand_model())
    clips.encode(clips.spot_frames(3), clip, "-crf", "5")

    def run() -> None:
        frames = sum(1 for _ in Pipeline(clip, model, backend="simulator"))
        assert frames == 3

    return run


@pytest.mark.slow
def test_any_call_of_a_whole_run_may_fail(whole_run: Callable[[], None]) -> None:
    outcomes = []
    for settings in (SimulatorSettings(), SimulatorSettings(mode="ep", cann="5.0")):
        outcomes += sweep(whole_run, settings)
    TABLE.parent.mkdir(exist_ok=True)
    write_table(TABLE, outcomes)
    assert len({(item.call, item.site) for item in outcomes}) > 40
    assert [item for item in outcomes if item.problems] == []
    with TABLE.open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["call", "n", "site", "error shown", "handles left", "problems"]
    assert len(rows) == len(outcomes) + 1


def test_the_places_of_a_run_are_those_of_the_runtime(tmp_path: Path) -> None:
    path = write_model(tmp_path, negation())

    def run() -> None:
        with open_session(path, backend="simulator") as session:
            for _ in range(2):
                session.run({"x": random_array((1, 3, 4, 4))})

    places = {place.call: place for place in record_calls(run, SimulatorSettings())}
    assert places["acl.rt.set_device"].site.startswith("owner.py:")
    assert places["acl.mdl.execute_async"].count == 2
    assert places["acl.mdl.load_from_file"].count == 1


def outcome_of(job: Callable[[], None], call: str) -> Outcome:
    (outcome,) = [item for item in sweep(job) if item.call == call]
    return outcome


def test_a_program_that_ignores_a_failure_is_found_out() -> None:
    def ignore() -> None:
        import acl

        acl.init()
        acl.rt.set_device(0)
        acl.rt.reset_device(0)
        acl.finalize()

    assert "no error" in outcome_of(ignore, "acl.rt.set_device").problems


def test_a_program_that_leaves_things_or_says_too_little_is_found_out() -> None:
    def leave() -> None:
        import acl

        if acl.init() not in (0, 100002):
            raise DeviceError("acl.init failed")
        if acl.rt.set_device(0):
            raise DeviceError("acl.rt.set_device failed with 507000", fix="try again")
        pointer, _ = acl.rt.malloc(64, 0)
        if acl.rt.memset(pointer, 64, 0, 64):
            raise DeviceError("acl.rt.memset failed with 507000", fix="try again")
        acl.rt.free(pointer)
        if acl.rt.reset_device(0):
            raise KeyError("reset")

    assert outcome_of(leave, "acl.rt.set_device").problems == ()
    said = outcome_of(leave, "acl.init").problems
    assert said == ("the error does not name 507000", "the error says no fix")
    left = outcome_of(leave, "acl.rt.memset")
    assert left.live == 2
    assert any("device memory" in problem for problem in left.problems)
    assert outcome_of(leave, "acl.rt.reset_device").problems[0] == "not an error of our tree"
