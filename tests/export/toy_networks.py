"""Networks small enough to export in a blink, each with one property that a test is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from atlas_hpe.card import DecodeSpec, ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.nets.spec import NetworkSpec

SIZE_PX = 16


class ToyHeatmaps(nn.Module):
    """Convolution, batch norm, bilinear resize, 21 heatmaps: 16x16 in, 16x16 out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 21, 3, padding=1, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        deep = torch.relu(self.conv(self.norm(image)))
        return functional.interpolate(deep, scale_factor=2.0, mode="bilinear", align_corners=False)


class TwoHeads(nn.Module):
    """Two outputs, and a sub-module."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor]:
        deep = self.body(image)
        return deep.mean(dim=(2, 3)), deep


def toy_heatmaps(seed: int = 0) -> ToyHeatmaps:
    """In eval mode, with statistics that are not those of a fresh layer."""
    torch.manual_seed(seed)
    network = ToyHeatmaps()
    with torch.no_grad():
        network.norm.running_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
        network.norm.running_var.copy_(torch.tensor([1.5, 0.7, 2.0]))
        network.norm.weight.copy_(torch.tensor([1.1, 0.9, 1.3]))
    return network.eval()


def example() -> Tensor:
    return torch.zeros(1, 3, SIZE_PX, SIZE_PX)


TOY_SPEC = NetworkSpec(
    name="toy",
    task="hand-2d",
    build=ToyHeatmaps,
    inputs=(TensorSpec("image", (1, 3, SIZE_PX, SIZE_PX), "float32", "NCHW"),),
    outputs=(TensorSpec("heatmaps", (1, 21, SIZE_PX, SIZE_PX), "float32", "NCHW"),),
    preprocess=PreprocessSpec(
        width_px=SIZE_PX,
        height_px=SIZE_PX,
        colour="rgb",
        fit="stretch",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
    ),
    decode=DecodeSpec(kind="heatmap-2d", outputs={"heatmaps": "heatmaps"}),
)


def renamed(name: str) -> NetworkSpec:
    return replace(TOY_SPEC, name=name)


def toy_decode(card: ModelCard, outputs) -> np.ndarray:  # noqa: ANN001
    """Expectation of each map; a map without mass has no joint."""
    maps = outputs[card.decode.outputs["heatmaps"]][0].astype(np.float64)
    mass = maps.sum(axis=(1, 2))
    safe = np.where(mass > 0, mass, np.nan)
    cells = np.arange(maps.shape[-1])
    return np.stack([maps.sum(axis=1) @ cells / safe, maps.sum(axis=2) @ cells / safe], axis=1)
