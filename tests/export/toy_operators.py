"""Toy networks that are known for an operator: attention, shuffles, graphs, geometry, sampling."""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from toy_convolutions import conv_block


class VisionTransformer(nn.Module):
    """Dosovitskiy et al. 2021: patches, a token for the class, nn.MultiheadAttention."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.positions = nn.Parameter(torch.randn(1, 17, 24))
        self.norm1, self.norm2 = nn.LayerNorm(24), nn.LayerNorm(24)
        self.attention = nn.MultiheadAttention(24, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))
        self.head = nn.Linear(24, 63)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2)
        token = self.token.expand(image.shape[0], -1, -1)
        x = torch.cat([token, patches], dim=1) + self.positions
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, need_weights=False)[0]
        x = x + self.mlp(self.norm2(x))
        return self.head(x[:, 0]).view(-1, 21, 3)


class FusedAttention(nn.Module):
    """Queries, keys and values from one layer, scaled_dot_product_attention, heads of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 32, 4, 4)
        self.qkv = nn.Linear(32, 96)
        self.out = nn.Linear(32, 32)

    def forward(self, image: Tensor) -> Tensor:
        x = self.embed(image).flatten(2).transpose(1, 2)
        batch, length, _ = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, 4, 8).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        return self.out(mixed.transpose(1, 2).reshape(batch, length, 32))


class LinearAttention(nn.Module):
    """Katharopoulos et al. 2020: elu + 1 as feature map, sums over positions by einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 48, 4, 4)

    def forward(self, image: Tensor) -> Tensor:
        query, key, value = self.embed(image).flatten(2).chunk(3, dim=1)
        query, key = functional.elu(query) + 1, functional.elu(key) + 1
        context = torch.einsum("bdn,ben->bde", key, value)
        scale = 1.0 / torch.einsum("bdn,bd->bn", query, key.sum(dim=-1))
        return torch.einsum("bdn,bde,bn->ben", query, context, scale)


class GhostModule(nn.Module):
    """GhostNet (Han et al. 2020): half of the channels are cheap copies of the other half."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        half = (outputs + 1) // 2
        self.primary = conv_block(inputs, half, 1)
        self.cheap = conv_block(half, half, groups=half)

    def forward(self, x: Tensor) -> Tensor:
        first = self.primary(x)
        return torch.cat([first, self.cheap(first)], dim=1)[:, : self.outputs]


class PixelShuffleDecoder(nn.Module):
    """Shi et al. 2016: channels become pixels, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.PixelUnshuffle(2), conv_block(12, 16, stride=2))
        self.decode = nn.Sequential(nn.Conv2d(16, 84 * 4, 1), nn.PixelShuffle(4))
        self.act = nn.PReLU(21)

    def forward(self, image: Tensor) -> Tensor:
        return self.act(self.decode(self.encode(image)))


class GraphHead(nn.Module):
    """Graph convolutions over 21 joints (Kipf and Welling 2017): A x W with a fixed adjacency."""

    adjacency: Tensor

    def __init__(self) -> None:
        super().__init__()
        parents = [0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19]
        links = torch.eye(21)
        links[torch.arange(21), torch.tensor(parents)] = 1.0
        links = links + links.T
        self.register_buffer("adjacency", links / links.sum(dim=1, keepdim=True), persistent=False)
        self.encode = nn.Sequential(conv_block(3, 21, 3, 2), nn.AdaptiveAvgPool2d(4), nn.Flatten(2))
        self.weights = nn.ParameterList([torch.randn(16, 16) * 0.3, torch.randn(16, 3) * 0.3])

    def forward(self, image: Tensor) -> Tensor:
        x = self.encode(image)
        for weight in self.weights:
            x = functional.leaky_relu(torch.einsum("jk,bkc,cd->bjd", self.adjacency, x, weight))
        return x


class SimCC(nn.Module):
    """Li et al. 2022: a distribution per axis; the joint is its expectation, with a score."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(conv_block(3, 16, stride=2), nn.Conv2d(16, 21, 3, 2, 1))
        self.column, self.row = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)

    def forward(self, image: Tensor) -> Dict[str, Tensor]:
        deep = functional.normalize(self.encode(image).flatten(2), dim=-1)
        bins = torch.linspace(0.0, 1.0, 64)
        axes = [torch.softmax(10.0 * layer(deep), dim=-1) for layer in (self.column, self.row)]
        joints = torch.stack([(axis * bins).sum(dim=-1) for axis in axes], dim=-1)
        scores = torch.minimum(axes[0].amax(dim=-1), axes[1].amax(dim=-1))
        return {"joints": joints, "scores": scores}


class DenseNet(nn.Module):
    """Huang et al. 2017: batch norm before the convolution, all earlier maps as its input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 4 * i) for i in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(8 + 4 * i, 4, 3, padding=1) for i in range(3))
        self.transition = nn.Sequential(nn.Conv2d(20, 10, 1), nn.AvgPool2d(2))

    def forward(self, image: Tensor) -> Tensor:
        maps = [self.stem(image)]
        for norm, conv in zip(self.norms, self.convs):
            maps.append(conv(torch.relu(norm(torch.cat(maps, dim=1)))))
        return self.transition(torch.cat(maps, dim=1))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2 (Ma et al. 2018): split, work on one half, concatenate, shuffle the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(conv_block(half, half, 1), conv_block(half, half, groups=half))

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        return functional.channel_shuffle(torch.cat([left, self.branch(right)], dim=1), 2)


class ConvNext(nn.Module):
    """Liu et al. 2022: a wide depthwise convolution, layer norm with channels last, layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.GroupNorm(4, 16))
        self.depthwise = nn.Conv2d(16, 16, 7, padding=3, groups=16)
        self.norm = nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 16))
        self.scale = nn.Parameter(torch.full((16,), 0.3))

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        deep = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.mlp(deep)).permute(0, 3, 1, 2)


class TemporalLifter(nn.Module):
    """Pavllo et al. 2019: dilated convolutions over 27 frames of 2D joints, one of 3D out."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv1d(42, 32, 3)
        self.layers = nn.ModuleList(nn.Conv1d(32, 32, 3, dilation=3**i) for i in (1, 2))
        self.shrink = nn.Conv1d(32, 63, 1)

    def forward(self, frames: Tensor) -> Tensor:
        x = torch.relu(self.expand(frames))
        for index, layer in enumerate(self.layers, start=1):
            x = torch.relu(layer(x)) + x[:, :, 3**index : x.shape[2] - 3**index]
        return self.shrink(x).reshape(-1, 21, 3)


class TwoHands(NamedTuple):
    left: Tensor
    right: Tensor


class TwoHandNetwork(nn.Module):
    """A pair of heads over one body, and dictionaries of named tuples as people return them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_block(3, 16, stride=2), nn.AdaptiveMaxPool2d((5, 3)))
        self.heads = nn.ModuleDict({side: nn.Linear(240, 63) for side in ("left", "right")})

    def forward(self, image: Tensor) -> Dict[str, object]:
        deep = self.body(image)
        flat = deep.flatten(1)
        return {
            "joints": TwoHands(*(self.heads[side](flat) for side in ("left", "right"))),
            "features": deep,
            "loss": None,
        }


class CameraGeometry(nn.Module):
    """Root depth and image points to metres: K^-1 (u, v, 1) z, in the frame of a second camera."""

    pose: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.offsets = nn.Linear(42, 21)
        self.register_buffer("pose", torch.linalg.qr(torch.randn(3, 3))[0])

    def forward(self, points: Tensor, intrinsics: Tensor) -> Tensor:
        depth = 0.5 + torch.sigmoid(self.offsets(points.flatten(1)))
        camera = intrinsics + 4.0 * torch.eye(3)  # far from singular, whatever is fed
        rays = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
        metres = rays @ torch.inverse(camera).mT * depth.unsqueeze(-1)
        return torch.linalg.solve(self.pose, metres.mT).mT


class SpatialTransformer(nn.Module):
    """Jaderberg et al. 2015: predict an affine map, look at the picture through it."""

    def __init__(self) -> None:
        super().__init__()
        self.locate = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 6))
        self.read = conv_block(3, 8)

    def forward(self, image: Tensor) -> Tensor:
        theta = self.locate(image).view(-1, 2, 3) * 0.3 + torch.eye(2, 3)
        grid = functional.affine_grid(theta, list(image.shape), align_corners=False)
        return self.read(functional.grid_sample(image, grid, align_corners=False))


class PyramidPooling(nn.Module):
    """PSPNet (Zhao et al. 2017): averages over 1, 2, 3 and 6 cells per side, some do not divide."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_block(3, 8, stride=4)
        self.cells = (1, 2, 3, 6)
        self.convs = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in self.cells)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)[:, :, :7, :7]
        levels = [
            functional.interpolate(
                conv(functional.adaptive_avg_pool2d(x, count)), (7, 7), mode="bilinear"
            )
            for conv, count in zip(self.convs, self.cells)
        ]
        return torch.cat([x, *levels], dim=1)


class RexBlock(nn.Module):
    """ReXNet (Han et al. 2021): the input is added in place to the first channels of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.SiLU())

    def forward(self, image: Tensor) -> Tensor:
        deep = self.conv(image)
        deep[:, :3] += image
        deep[:, 4] = 0.5
        return deep


class FeaturePyramid(nn.Module):
    """Lin et al. 2017: lateral convolutions, a way down by nearest neighbours, a list of levels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList([conv_block(3, 8, stride=2), conv_block(8, 16, stride=2)])
        self.lateral = nn.ModuleList([nn.Conv2d(8, 12, 1), nn.Conv2d(16, 12, 1)])
        self.smooth = nn.ModuleList(nn.Conv2d(12, 12, 3, padding=1) for _ in range(2))

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor]:
        fine = self.body[0](image)
        coarse = self.lateral[1](self.body[1](fine))
        fine = self.lateral[0](fine) + functional.interpolate(coarse, size=fine.shape[-2:])
        return self.smooth[0](fine), self.smooth[1](coarse)


class LocalAttention(nn.Module):
    """Involution (Li et al. 2021): a kernel per place, applied to unfolded neighbourhoods."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_block(3, 8, stride=2)
        self.kernel = nn.Conv2d(8, 2 * 9, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        batch, channels, height, width = x.shape
        near = functional.unfold(x, 3, padding=1).view(batch, 2, channels // 2, 9, height, width)
        kernel = self.kernel(x).view(batch, 2, 1, 9, height, width)
        return (kernel * near).sum(dim=3).view(batch, channels, height, width)


class PointRelations(nn.Module):
    """Distances between joints as features, and a shared module that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(3, 16), nn.Tanh())
        self.head = nn.Linear(21, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head(torch.cdist(self.embed(left), self.embed(right)))
