from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch

from atlas_hpe.learn.machine import describe_machine, open_fabric
from atlas_hpe.learn.pictures import draw_curves


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks the processor")
@pytest.mark.parametrize(("native", "used"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_is_bf16_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, native: bool, used: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": native})
    assert open_fabric("auto").strategy.precision.precision == used
    assert open_fabric("bf16").strategy.precision.precision == "bf16-mixed"
    assert open_fabric("float32").strategy.precision.precision == "32-true"


def test_a_machine_is_described_in_words() -> None:
    words = describe_machine(open_fabric("float32"))
    assert "1 process," in words and "precision 32-true" in words


@pytest.mark.parametrize("values", [[-1.0, 0.0, 2.0], [1.0, 10.0, 100.0], [float("nan")] * 3])
def test_curves_are_drawn_for_any_sign(tmp_path: Path, values: list) -> None:
    draw_curves({"step": [1, 2, 3], "total": values}, tmp_path / "curves.png")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    coloured = (picture.max(axis=2).astype(int) - picture.min(axis=2)) > 80
    columns = coloured.any(axis=0).nonzero()[0]
    assert (len(columns) > 400) == (values[0] == values[0])
