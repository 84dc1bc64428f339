"""What ``examine_machine`` makes of libraries whose versions are known, old or unreadable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from atlas_hpe.doctor import Finding, examine_machine


def examine_torch(folder: Path, monkeypatch: pytest.MonkeyPatch, metadata: str) -> Finding:
    """What is found of a torch that is installed in the folder, before any other."""
    (folder / "torch.py").write_text("")
    details = folder / "torch-0.dist-info"
    details.mkdir()
    (details / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(folder))
    return found_torch()


def found_torch() -> Finding:
    (finding,) = [item for item in examine_machine().findings if item.name == "torch"]
    return finding


@pytest.mark.parametrize("version", ["2.5.1+cu121", "2.9.1", "1.13.0"])
def test_a_torch_with_known_holes_is_reported_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    finding = examine_torch(tmp_path, monkeypatch, f"Name: torch\nVersion: {version}\n")
    assert not finding.present
    assert finding.text == f"{version} has known CVEs, 2.10 is due"
    assert finding.fix == "pip install --upgrade 'atlas-hpe[export]'"


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0+cpu", "2.11.0.dev20260101", "3.0"])
def test_a_torch_from_the_floor_on_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    finding = examine_torch(tmp_path, monkeypatch, f"Name: torch\nVersion: {version}\n")
    assert (finding.present, finding.text, finding.fix) == (True, version, None)


@pytest.mark.filterwarnings("ignore:Implicit None")  # of importlib-metadata, about such files
@pytest.mark.parametrize("metadata", ["", "Name: torch\nVersion: local\n"], ids=["no", "no number"])
def test_a_version_that_can_not_be_read_is_not_called_vulnerable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: str
) -> None:
    finding = examine_torch(tmp_path, monkeypatch, metadata)
    assert finding == Finding("torch", present=True, text="unknown version")


def test_a_library_without_metadata_has_an_unknown_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("")
    examine_machine()  # loads what it needs before the path is gone
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert found_torch() == Finding("torch", present=True, text="unknown version")


def test_training_on_an_old_python_is_sent_to_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from atlas_hpe import doctor

    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9))
    finding = doctor._examine_library("lightning_fabric", "lightning-fabric", "train", "train")
    assert finding.fix == "train on a machine with Python 3.10 or newer"
