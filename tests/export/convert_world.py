"""A folder, programs and a cache of their own, for conversions through the stand-in compiler."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Dict, Optional, Set, Type

import pytest

from atlas_hpe.errors import AtlasHpeError, DeviceError
from atlas_hpe.om_file import OmModel, read_om_summary
from atlas_hpe_export.convert import ConvertOptions, compile_om
from standin_tools import install_atc, install_docker
from tiny_onnx import hand_model

LOG = {"hand.om.log"}


class World:
    """A folder to work in, programs on PATH, and a cache and a scratch folder of their own."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.patch = monkeypatch
        self.work, self.programs = base / "work", base / "bin"
        self.scratch, self.cache = base / "scratch", base / "cache"
        for folder in (self.work, self.programs, self.scratch, base / "home"):
            folder.mkdir()
        for name in list(os.environ):
            if name.startswith(("ASCEND_", "STANDIN_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PATH", f"{self.programs}:/usr/bin:/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(self.cache))
        monkeypatch.setenv("HOME", str(base / "home"))
        monkeypatch.setattr(tempfile, "tempdir", str(self.scratch))
        self.atc(AVAILABLE_KB="8000000")
        monkeypatch.chdir(self.work)
        self.onnx = self.work / "hand.onnx"
        self.onnx.write_bytes(hand_model())

    def atc(self, **settings: str) -> None:
        install_atc(self.programs)
        for name, value in settings.items():
            self.patch.setenv(f"STANDIN_ATC_{name}", value)

    def docker(self) -> None:
        """Docker, and no atc outside of it."""
        (self.programs / "atc").unlink()
        for name, value in install_docker(self.programs).items():
            self.patch.setenv(name, value)

    def files(self) -> Dict[str, bytes]:
        paths = [path for path in self.work.rglob("*") if path.is_file()]
        return {path.relative_to(self.work).as_posix(): path.read_bytes() for path in paths}

    def fail(
        self,
        kind: Type[AtlasHpeError] = DeviceError,
        *,
        left: Set[str] = LOG,
        docker: Optional[str] = None,
        timeout_s: float = 60.0,
        force: bool = False,
        **options: object,
    ) -> AtlasHpeError:
        """Convert and fail; nothing but ``left`` is new, nothing is changed, nothing runs on."""
        before = self.files()
        with pytest.raises(kind) as caught:
            compile_om(
                "hand.onnx",
                options=ConvertOptions(**options),  # type: ignore[arg-type]
                docker=docker,
                timeout_s=timeout_s,
                force=force,
            )
        after = self.files()
        assert set(after) - set(before) == left - set(before)
        assert {name: after.get(name) for name in before if name not in left} == {
            name: content for name, content in before.items() if name not in left
        }
        assert list(self.scratch.iterdir()) == []
        assert [path for path in self.cache.rglob("*") if path.suffix == ".om"] == []
        assert "Traceback" not in str(caught.value)
        return caught.value

    def convert(self, name: str = "hand.onnx", **options: object) -> OmModel:
        report = compile_om(name, options=ConvertOptions(**options), force=True)  # type: ignore
        return read_om_summary(report.path).models[0]
