"""Blocks of the project's own networks: plain convolutions, each with its batch norm behind it.

What the Ascend 310 runs well: 3x3 and 1x1 convolutions reach half of its peak, depthwise ones 4 %
(ascend.md section 9.3); the batch norm folds into the convolution.
"""

from __future__ import annotations

from typing import List

from torch import Tensor, nn

__all__ = ["Residual", "conv_bn_relu"]


def _conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> List[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(out_channels)]


def conv_bn_relu(
    in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    """relu(bn(conv(x))), padded to keep the size at stride 1."""
    return nn.Sequential(
        *_conv_bn(in_channels, out_channels, kernel, stride), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """relu(x + bn(conv3x3(relu(bn(conv3x3(x)))))), same width in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv_bn(channels, channels, 3),
            nn.ReLU(inplace=True),
            *_conv_bn(channels, channels, 3),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        out: Tensor = self.relu(image + self.body(image))
        return out
