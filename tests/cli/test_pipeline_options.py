"""What a user types reaches the pipeline, option by option."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict

import pytest

from atlas_hpe.cli.pipeline_options import PipelineChoice, open_pipeline
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines import DrawOptions, SourceOptions

CHOICE = PipelineChoice(
    source="clip.mp4",
    model="hand.onnx",
    max_hands=3,
    detector="eye.onnx",
    detect_every=5,
    box=None,
    full_frame=False,
    smooth="strong",
    fps=7.0,
    seconds=2.5,
    drop="never",
    reconnect_s=9.0,
    depth_unit_mm=0.125,
    decode="host",
    max_width_px=320,
    show=("3d", "scores"),
    mirror=True,
    backend="simulator",
)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Dict[str, object]:
    """What the pipeline was opened with."""
    found: Dict[str, object] = {}

    def take(source: str, model: str, **options: object) -> None:
        found.update(options, source=source, model=model)

    monkeypatch.setattr("atlas_hpe_pipelines.Pipeline", take)
    return found


def test_every_option_reaches_the_pipeline(given: Dict[str, object]) -> None:
    open_pipeline(CHOICE, out=["a.gif"], force=True)
    for name in ("source", "model", "max_hands", "detector", "detect_every", "smooth", "seconds"):
        assert given[name] == getattr(CHOICE, name), name
    for name in ("decode", "max_width_px", "backend"):
        assert given[name] == getattr(CHOICE, name), name
    assert given["reading"] == SourceOptions(
        fps=7.0, drop="never", reconnect_s=9.0, depth_unit_mm=0.125
    )
    assert given["drawing"] == DrawOptions(scores=True, view_3d=True, mirror=True)
    assert (given["out"], given["force"], given["box"]) == (["a.gif"], True, None)


def test_a_box_and_the_full_frame_need_no_detector(given: Dict[str, object]) -> None:
    open_pipeline(replace(CHOICE, detector="auto", box="1,2,3,4"))
    assert (given["box"], given["detector"]) == (Box(1, 2, 3, 4), "auto")
    open_pipeline(replace(CHOICE, detector="auto", full_frame=True))
    assert given["detector"] is None
    open_pipeline(replace(CHOICE, detector="none"))
    assert given["detector"] is None
