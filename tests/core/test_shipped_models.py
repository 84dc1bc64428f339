"""Which files run when none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_hpe import models
from atlas_hpe.card import load_card
from atlas_hpe.errors import ModelFileError
from atlas_hpe.models import default_detector_path, default_model_path


def test_every_shipped_model_has_its_file_and_its_page() -> None:
    folder = Path(models.__file__).parent
    for name in models.SHIPPED_MODELS:
        assert (folder / f"{name}.onnx").is_file()
        assert (folder / f"{name}.md").is_file()
    assert default_model_path() == folder / "hand_landmark.onnx"


def test_the_tilt_of_the_card_is_the_one_that_its_page_speaks_of() -> None:
    limit_deg = load_card(default_model_path()).preprocess.max_tilt_deg
    page = default_model_path().with_suffix(".md").read_text(encoding="utf-8")
    assert f"`max_tilt_deg` of {limit_deg:g} " in page


def test_the_detector_is_the_file_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "__file__", str(tmp_path / "__init__.py"))
    assert default_detector_path() is None
    (tmp_path / "hand_detector.onnx").write_bytes(b"")
    assert default_detector_path() == tmp_path / "hand_detector.onnx"


def test_an_installation_without_the_default_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ModelFileError, match="missing from this installation"):
        default_model_path()
