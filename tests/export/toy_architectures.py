"""Small networks, each of a published kind, with seeded weights: what people bring to an export.

Nothing here is anyone's code or weights: each is the smallest thing that has the property which its
kind is known for. Inputs are at most 64x64, weights under 200 000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Tuple

import torch
from torch import Tensor, nn
from toy_convolutions import (
    PICTURE,
    BasicBlock,
    Bottleneck,
    InvertedResidual,
    PlainCnn,
    ResNet,
    StackedHourglass,
    UNet,
    conv_block,
    made_whole,
)
from toy_operators import (
    CameraGeometry,
    ConvNext,
    DenseNet,
    FeaturePyramid,
    FusedAttention,
    GhostModule,
    GraphHead,
    LinearAttention,
    LocalAttention,
    PixelShuffleDecoder,
    PointRelations,
    PyramidPooling,
    RexBlock,
    ShuffleUnit,
    SimCC,
    SpatialTransformer,
    TemporalLifter,
    TwoHandNetwork,
    VisionTransformer,
)


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        build: Makes the module, with the weights that it happens to get.
        shapes: Shape of each input.
    """

    build: Callable[[], nn.Module]
    shapes: Tuple[Tuple[int, ...], ...] = (PICTURE,)


def build_architecture(name: str, seed: int = 0) -> nn.Module:
    """In eval mode, with statistics and scales in its norms that are not those of fresh layers."""
    torch.manual_seed(seed)
    network = ARCHITECTURES[name].build()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.2, 0.2)
                part.running_var.uniform_(0.6, 1.6)
            if isinstance(part, (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
                part.weight.uniform_(0.7, 1.3)
                part.bias.uniform_(-0.2, 0.2)
    return network.eval()


def draw_inputs(name: str, seed: int = 0) -> Tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator) for shape in ARCHITECTURES[name].shapes)


ARCHITECTURES: Dict[str, Architecture] = {
    "plain-cnn": Architecture(PlainCnn),
    "resnet-basic": Architecture(
        lambda: made_whole(ResNet(BasicBlock(16, 16, 1), BasicBlock(16, 32, 2)))
    ),
    "resnet-bottleneck": Architecture(lambda: made_whole(ResNet(Bottleneck(16), Bottleneck(16)))),
    "mobilenet-v3": Architecture(
        lambda: nn.Sequential(conv_block(3, 8, stride=2), InvertedResidual(8, 4))
    ),
    "u-net": Architecture(UNet),
    "stacked-hourglass": Architecture(StackedHourglass),
    "vision-transformer": Architecture(VisionTransformer),
    "fused-attention": Architecture(FusedAttention),
    "linear-attention": Architecture(LinearAttention),
    "ghostnet": Architecture(
        lambda: nn.Sequential(GhostModule(3, 16), nn.AvgPool2d(2), GhostModule(16, 21))
    ),
    "pixel-shuffle": Architecture(PixelShuffleDecoder),
    "graph-convolution": Architecture(GraphHead),
    "simcc": Architecture(SimCC),
    "densenet": Architecture(DenseNet),
    "shufflenet": Architecture(
        lambda: nn.Sequential(conv_block(3, 16, stride=2), ShuffleUnit(16), ShuffleUnit(16))
    ),
    "convnext": Architecture(ConvNext),
    "temporal-convolution": Architecture(TemporalLifter, ((1, 42, 27),)),
    "two-hands": Architecture(TwoHandNetwork),
    "camera-geometry": Architecture(CameraGeometry, ((1, 21, 2), (1, 3, 3))),
    "spatial-transformer": Architecture(SpatialTransformer),
    "pyramid-pooling": Architecture(PyramidPooling),
    "rexnet": Architecture(RexBlock),
    "feature-pyramid": Architecture(FeaturePyramid),
    "involution": Architecture(LocalAttention),
    "point-relations": Architecture(PointRelations, ((1, 21, 3), (1, 21, 3))),
}
