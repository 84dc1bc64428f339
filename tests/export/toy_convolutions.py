"""Toy networks of convolutions: plain, residual, inverted residual, U-Net, hourglass."""

from __future__ import annotations

from typing import List, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

PICTURE = (1, 3, 32, 32)


def conv_block(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class PlainCnn(nn.Module):
    """Convolutions, pooling, a classifier with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_block(3, 8), nn.MaxPool2d(2), conv_block(8, 16), nn.MaxPool2d(3, 2, ceil_mode=True)
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(16 * 8 * 8, 42))

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv_block(inputs, outputs, stride=stride)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn2(self.conv2(self.conv1(x))) + self.shortcut(x))


class Bottleneck(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = conv_block(width, width // 4, 1)
        self.conv = conv_block(width // 4, width // 4)
        self.expand = nn.Sequential(nn.Conv2d(width // 4, width, 1), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.expand(self.conv(self.reduce(x))))


class ResNet(nn.Module):
    """He et al. 2016: shortcuts around two or three convolutions, a global average at the end."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_block(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.stages = nn.ModuleList(stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.LazyLinear(63)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return self.fc(self.pool(x).flatten(1))


def made_whole(network: nn.Module, shape: Tuple[int, ...] = PICTURE) -> nn.Module:
    """Give lazy layers their sizes."""
    network.eval()(torch.zeros(shape))
    return network


class InvertedResidual(nn.Module):
    """MobileNetV3 (Howard et al. 2019): expand, depthwise, squeeze and excite, project."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.expand = nn.Sequential(
            nn.Conv2d(width, inner, 1), nn.BatchNorm2d(inner), nn.Hardswish()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(inner, inner, 5, padding=2, groups=inner), nn.BatchNorm2d(inner)
        )
        self.excite = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(inner, inner // 4, 1),
            nn.ReLU6(),
            nn.Conv2d(inner // 4, inner, 1),
            nn.Hardsigmoid(),
        )
        self.project = nn.Sequential(nn.Conv2d(inner, width, 1), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        deep = self.depthwise(self.expand(x))
        return x + self.project(functional.hardswish(deep * self.excite(deep)))


class UNet(nn.Module):
    """Ronneberger et al. 2015: contract, expand, concatenate across; one way up is transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = conv_block(3, 8), conv_block(8, 16)
        self.bottom = conv_block(16, 32)
        self.grow = nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1)
        self.up2, self.up1 = conv_block(32, 16), conv_block(24, 8)
        self.head = nn.Conv2d(8, 21, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down1(image)
        second = self.down2(functional.max_pool2d(first, 2))
        bottom = self.bottom(functional.max_pool2d(second, 2))
        up = self.up2(torch.cat([self.grow(bottom), second], dim=1))
        up = functional.interpolate(up, scale_factor=2, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.head(self.up1(torch.cat([up, first], dim=1))))


class Hourglass(nn.Module):
    """Newell et al. 2016: a U of residual blocks that calls itself."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.side = Bottleneck(width)
        self.down = nn.Sequential(nn.MaxPool2d(2), Bottleneck(width))
        self.inner = Hourglass(depth - 1, width) if depth > 1 else Bottleneck(width)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        return self.side(x) + self.up(self.inner(self.down(x)))


class StackedHourglass(nn.Module):
    """Two hourglasses; the maps of the first go into the second; a list of maps comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_block(3, 16, 7, 2)
        self.hourglasses = nn.ModuleList(Hourglass(2, 16) for _ in range(2))
        self.heads = nn.ModuleList(nn.Conv2d(16, 21, 1) for _ in range(2))
        self.merge = nn.Conv2d(21, 16, 1)

    def forward(self, image: Tensor) -> List[Tensor]:
        x, maps = self.stem(image), []
        for hourglass, head in zip(self.hourglasses, self.heads):
            deep = hourglass(x)
            maps.append(head(deep))
            x = x + deep + self.merge(maps[-1])
        return maps
