"""How long exporting and checking a network of 20 M parameters takes.

    python benchmarks/export_speed.py [--runs N] [--json]

The export (capture, lowering to opset 11, rewrites, all of it run before and after, parity, file
read back) is timed against PyTorch's exporter alone writing the same network; the whole command
``atlas-hpe check`` on the file against loading the file with ``onnx``. Targets: 60 s and 2 s, on
two cores. Every run starts in a fresh process, as a user's would.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Dict, List

import torch
from torch import Tensor, nn

EXPORT_TARGET_S = 60.0
CHECK_TARGET_S = 2.0
SIZE_PX = 128
WIDTHS = (64, 128, 256, 656)
BLOCKS_PER_STAGE = 2


class Block(nn.Module):
    """Two convolutions of 3x3 with batch norm, and the way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        return torch.relu(features + self.body(features))


def build() -> nn.Module:
    """A residual network with a heatmap head: 20 M parameters."""
    torch.manual_seed(0)
    layers: List[nn.Module] = []
    channels = 3
    for width in WIDTHS:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        layers += [Block(width) for _ in range(BLOCKS_PER_STAGE)]
        channels = width
    layers += [nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(channels, 21, 1)]
    return nn.Sequential(*layers).eval()


def example() -> Tensor:
    """The input of the network."""
    return torch.randn(1, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(0))


def export_it(path: str) -> None:
    """The export under test."""
    from atlas_hpe_export import export_onnx

    export_onnx(build(), example(), path, force=True)


def export_with_torch_alone(path: str) -> None:
    """The exporter of PyTorch, as it is."""
    torch.onnx.export(build(), (example(),), path, dynamo=True, external_data=False, verbose=False)


def time_s(command: List[str]) -> float:
    """Wall time of a command that has to succeed."""
    started = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return perf_counter() - started


def measure(runs: int) -> Dict[str, float]:
    """Median seconds of each command over runs in turn."""
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.onnx")
        itself = [sys.executable, __file__, "--out"]
        commands = {
            "torch_export_s": [*itself, str(Path(folder) / "alone.onnx"), "--step", "torch"],
            "export_s": [*itself, model, "--step", "export"],
            "onnx_load_s": [sys.executable, "-c", f"import onnx; onnx.load({model!r})"],
            "check_s": [sys.executable, "-m", "atlas_hpe", "check", model],
        }
        times: Dict[str, List[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(time_s(command))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", choices=["export", "torch"], help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        return {"export": export_it, "torch": export_with_torch_alone}[arguments.step](
            arguments.out
        )
    figures = measure(arguments.runs)
    figures["export_ratio"] = figures["export_s"] / figures["torch_export_s"]
    figures["check_ratio"] = figures["check_s"] / figures["onnx_load_s"]
    print(
        f"export of 20 M parameters: {figures['export_s']:.1f} s (target {EXPORT_TARGET_S:g} s), "
        f"PyTorch's exporter alone {figures['torch_export_s']:.1f} s, "
        f"ratio {figures['export_ratio']:.1f}\n"
        f"check of the file: {figures['check_s']:.2f} s (target {CHECK_TARGET_S:g} s), "
        f"loading it {figures['onnx_load_s']:.2f} s, ratio {figures['check_ratio']:.1f}",
        file=sys.stderr,
    )
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
