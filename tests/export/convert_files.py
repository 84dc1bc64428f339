"""ONNX files and commands that the tests of convert share."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional, Sequence, Set, Union

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.card import CARD_METADATA_KEY, ModelCard, PreprocessSpec, card_to_json
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe.outfile import AtomicFile
from atlas_hpe_export.convert import AtcCommand, ConvertOptions, build_command, publish
from standin_tools import install_atc

SIZE_PX = 16
PREPROCESS = PreprocessSpec(
    width_px=SIZE_PX,
    height_px=SIZE_PX,
    colour="rgb",
    fit="letterbox",
    mean=(120.0, 121.0, 122.0),
    std=(58.0, 57.0, 56.0),
)
OUTPUTS = {"joints": (1, 1, SIZE_PX, SIZE_PX)}
CARD = tiny_onnx.hand_card(PREPROCESS, OUTPUTS)


def write_model(
    path: Path,
    shape: Sequence[Union[int, str]] = (1, 3, SIZE_PX, SIZE_PX),
    *,
    card: Optional[ModelCard] = CARD,
    normalised: bool = False,
    opset: int = 11,
) -> Path:
    """``image -> [Sub ->] Conv -> Relu -> joints``, its nodes named."""
    names = ["image", "centred"] if normalised else ["image", "image"]
    nodes = [
        named("Sub", ["image", "mean"], ["centred"], "sub_mean"),
        named("Conv", [names[1], "weights"], ["features"], "conv_1"),
        named("Relu", ["features"], ["joints"], "relu_1"),
    ]
    tensors = [
        tiny_onnx.tensor("weights", np.ones((1, 3, 1, 1), np.float32)),
        tiny_onnx.tensor("mean", np.full((1, 3, 1, 1), 120, np.float32)),
    ]
    metadata = {} if card is None else {CARD_METADATA_KEY: card_to_json(card)}
    content = tiny_onnx.model(
        nodes if normalised else nodes[1:],
        {"image": shape},
        {"joints": (1, 1, SIZE_PX, SIZE_PX)},
        tensors if normalised else tensors[:1],
        metadata,
        opset,
    )
    path.write_bytes(content)
    return path


def named(op_type: str, inputs: Sequence[str], outputs: Sequence[str], name: str) -> bytes:
    return tiny_onnx.node(op_type, inputs, outputs) + tiny_onnx.bytes_field(3, name)


def graph_card(preprocess: PreprocessSpec = PREPROCESS) -> ModelCard:
    """The card of a network that normalises by itself."""
    return replace(CARD, preprocess=replace(preprocess, where="graph"))


def command_for(
    folder: Path,
    options: ConvertOptions,
    shape: Sequence[Union[int, str]] = (1, 3, SIZE_PX, SIZE_PX),
    card: Optional[ModelCard] = CARD,
) -> AtcCommand:
    model = write_model(folder / "hand.onnx", shape, card=card)
    return build_command(options, read_onnx_summary(model), card)


def make_workshop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in ``folder/work``, with a model there, atc on PATH, and no files of the user's own."""
    for name in ("work", "tmp", "home"):
        (folder / name).mkdir()
    install_atc(folder / "bin")
    monkeypatch.chdir(folder / "work")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    monkeypatch.setenv("STANDIN_ATC_RECORD", str(folder / "runs"))
    write_model(Path("hand.onnx"))


def write_version(home: Path, version: str) -> None:
    """Let the toolkit at ``home`` be of a release."""
    (home / "x86_64-linux").mkdir()
    (home / "x86_64-linux/ascend_toolkit_install.info").write_text(f"version={version}\n")


def stop_at_card(
    monkeypatch: pytest.MonkeyPatch, step: str, look: Callable[[], object] = lambda: None
) -> None:
    """Let a step of writing the card fail, ``flush`` or ``publish``, after a look around."""

    class Stopped(AtomicFile):
        def flush(self) -> None:
            self._stop("flush")
            super().flush()

        def publish(self) -> None:
            self._stop("publish")
            super().publish()

        def _stop(self, at: str) -> None:
            if (self.temporary.suffix, at) == (".json", step):
                look()
                raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(publish, "AtomicFile", Stopped)


def runs(folder: Path) -> int:
    """How often atc was started."""
    record = folder / "runs"
    return len(record.read_text().splitlines()) if record.exists() else 0


def left_behind(folder: Path) -> Set[str]:
    """Scratch folders, and what lies beside the model."""
    return {path.name for path in (folder / "tmp").iterdir()} | {
        path.name for path in (folder / "work").iterdir() if path.name != "hand.onnx"
    }
