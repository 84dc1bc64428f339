"""`shallow_unet`: a small U-Net that paints one heatmap per joint (seed report, network 1).

Layout and state-dict names follow networks.md section 2. Each block is batch norm before a
convolution, twice; a batch norm in front of a zero-padded convolution does not fold into it, so the
first of each block stays a layer of its own on the device.

Copy this file to add a network: the module, then its ``SPEC``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from atlas_hpe.card import DecodeSpec, PreprocessSpec, TensorSpec
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.nets.spec import NetworkSpec

__all__ = ["SPEC", "ShallowUNet"]

_SIZE_PX = 128
_BASE_WIDTH = 16


class _Block(nn.Module):
    """Batch norm, convolution 3x3, ReLU, twice; the convolutions have no bias."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H, W)."""
        result: Tensor = self.double_conv(features)
        return result


class ShallowUNet(nn.Module):
    """Three steps down, a bottleneck, three steps up: 491 206 parameters, 0.7172 GMAC.

    Args:
        width: Channels of the first block; they double with each step down.
    """

    def __init__(self, width: int = _BASE_WIDTH) -> None:
        super().__init__()
        self.conv_down1 = _Block(3, width)
        self.conv_down2 = _Block(width, 2 * width)
        self.conv_down3 = _Block(2 * width, 4 * width)
        self.conv_bottleneck = _Block(4 * width, 8 * width)
        self.conv_up1 = _Block(12 * width, 4 * width)
        self.conv_up2 = _Block(6 * width, 2 * width)
        self.conv_up3 = _Block(3 * width, width)
        self.conv_out = nn.Sequential(
            nn.Conv2d(width, NUM_JOINTS, 3, padding=1, bias=False),
            nn.Sigmoid(),
        )
        self.maxpool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised RGB (N, 3, 128, 128) -> heatmaps in [0, 1] (N, 21, 128, 128)."""
        down1 = self.conv_down1(image)
        down2 = self.conv_down2(self.maxpool(down1))
        down3 = self.conv_down3(self.maxpool(down2))
        deep = self.conv_bottleneck(self.maxpool(down3))
        deep = self.conv_up1(_join(deep, down3))
        deep = self.conv_up2(_join(deep, down2))
        deep = self.conv_up3(_join(deep, down1))
        heatmaps: Tensor = self.conv_out(deep)
        return heatmaps


def _join(deep: Tensor, skip: Tensor) -> Tensor:
    """Upsample ``deep`` to the size of ``skip`` and put them together, ``deep`` first."""
    # A constant factor, not the size of `skip`, keeps shape arithmetic out of the exported graph.
    larger = functional.interpolate(deep, scale_factor=2.0, mode="bilinear", align_corners=False)
    return torch.cat([larger, skip], dim=1)


SPEC = NetworkSpec(
    name="shallow_unet",
    task="hand-2d",
    build=ShallowUNet,
    inputs=(TensorSpec("image", (1, 3, _SIZE_PX, _SIZE_PX), "float32", "NCHW"),),
    outputs=(TensorSpec("heatmaps", (1, NUM_JOINTS, _SIZE_PX, _SIZE_PX), "float32", "NCHW"),),
    preprocess=PreprocessSpec(
        width_px=_SIZE_PX,
        height_px=_SIZE_PX,
        colour="rgb",
        fit="crop",
        # Mean and deviation as published, in 0..255 terms. The crop scale is ours: nothing is
        # published but "a FreiHAND picture". Of 1.1 to 3.0, values about 2 gave the least error in
        # hand sizes on photographs labelled by others.
        crop_scale=2.0,
        mean=(0.3950 * 255, 0.4323 * 255, 0.2954 * 255),
        std=(0.1966 * 255, 0.1734 * 255, 0.1836 * 255),
    ),
    decode=DecodeSpec(
        kind="heatmap-2d",
        outputs={"heatmaps": "heatmaps"},
        # A joint drawn as in training has a mass of 2 pi 3^2 = 57 cells; a map with less than one
        # cell is empty, and its expectation would only be the middle of the picture.
        options={"min_mass": 1.0},
    ),
)
