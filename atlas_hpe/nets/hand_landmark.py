"""`hand_landmark`: the small RGB network that ships as the default model.

A U-shaped trunk of plain 3x3 and 1x1 convolutions (depthwise networks reach 4 % of an Ascend 310's
peak where plain ones reach 50 %), channels in multiples of 16 (the NC1HWC0 layout pads to 16), each
convolution followed by the batch norm that folds into it. Joints are decoded inside the graph by a
soft-argmax over one 32x32 heatmap per joint, on a grid normalised to [0, 1] so that fp16 keeps its
precision. Only operators with a plain opset-11 form are used.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from atlas_hpe.card import DecodeSpec, PreprocessSpec, TensorSpec
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.nets.blocks import Residual, conv_bn_relu
from atlas_hpe.nets.spec import NetworkSpec

__all__ = [
    "HEATMAP_SIZE",
    "INPUT_SIZE_PX",
    "MEAN_RGB",
    "SPEC",
    "STD_RGB",
    "Features",
    "HandLandmark",
    "RawLandmarks",
    "hand_landmark",
]

INPUT_SIZE_PX = 128
HEATMAP_SIZE = 32
# Per channel R, G, B in 0..255 terms, as the model card states them.
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)


class Features(NamedTuple):
    """What the trunk hands to the heads: `fine` (N, C, 32, 32) and `coarse` (N, D, 8, 8)."""

    fine: Tensor
    coarse: Tensor


class RawLandmarks(NamedTuple):
    """Head outputs before the sigmoids, as the loss wants them.

    heat_logits (N, 21, 1024), row-major cells; joints (N, 21, 2) x, y in [0, 1] of the crop;
    score_logits (N, 21); depth (N, 21) relative to the wrist, in units of the crop side;
    presence_logits (N, 1); right_logits (N, 1).
    """

    heat_logits: Tensor
    joints: Tensor
    score_logits: Tensor
    depth: Tensor
    presence_logits: Tensor
    right_logits: Tensor


def _grid(size: int) -> Tensor:
    """Centres of size x size cells in [0, 1], row-major: (size * size, 2) as x, y."""
    centres = (torch.arange(size, dtype=torch.float32) + 0.5) / size
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack((columns.reshape(-1), rows.reshape(-1)), dim=1)


class HandLandmark(nn.Module):
    """One hand crop -> 21 joints, their scores, whether a hand is there, and which hand.

    Args:
        widths: channels at strides 2, 4, 8 and 16.
        middle_blocks: residual blocks at stride 8.
        coarse_blocks: residual blocks at stride 16, where the whole hand is in view.
    """

    grid: Tensor

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 160),
        middle_blocks: int = 2,
        coarse_blocks: int = 3,
    ) -> None:
        super().__init__()
        stem, fine, middle, coarse = widths
        self.stem = nn.Sequential(
            conv_bn_relu(3, stem, stride=2),
            conv_bn_relu(stem, fine, stride=2),
            conv_bn_relu(fine, fine),
        )
        self.down_middle = nn.Sequential(
            conv_bn_relu(fine, middle, stride=2),
            *[Residual(middle) for _ in range(middle_blocks)],
        )
        self.down_coarse = nn.Sequential(
            conv_bn_relu(middle, coarse, stride=2),
            *[Residual(coarse) for _ in range(coarse_blocks)],
        )
        self.reduce_coarse = conv_bn_relu(coarse, middle, kernel=1)
        self.up_middle = Residual(middle)
        self.reduce_middle = conv_bn_relu(middle, fine, kernel=1)
        self.up_fine = Residual(fine)
        self.heat = nn.Conv2d(fine, NUM_JOINTS, 1)
        self.score_global = nn.Linear(coarse, fine)
        self.score_peak = nn.Linear(1, fine)
        self.score_out = nn.Linear(fine, 1)
        self.depth_global = nn.Linear(coarse, NUM_JOINTS)
        self.depth_local = nn.Linear(fine, 1)
        self.hand_hidden = nn.Linear(coarse, middle)
        self.presence_out = nn.Linear(middle, 1)
        self.right_out = nn.Linear(middle, 1)
        self.register_buffer("grid", _grid(HEATMAP_SIZE))

    def features(self, image: Tensor) -> Features:
        """Normalised RGB (N, 3, 128, 128) -> trunk features; the part that may run in bfloat16."""
        fine = self.stem(image)
        middle = self.down_middle(fine)
        coarse = self.down_coarse(middle)
        up = functional.interpolate(self.reduce_coarse(coarse), scale_factor=2.0, mode="nearest")
        middle = self.up_middle(middle + up)
        up = functional.interpolate(self.reduce_middle(middle), scale_factor=2.0, mode="nearest")
        return Features(self.up_fine(fine + up), coarse)

    def heads(self, features: Features) -> RawLandmarks:
        """Trunk features -> everything the loss needs (float32: softmax and coordinates)."""
        fine, coarse = features
        batch, channels = fine.shape[0], fine.shape[1]
        cells = HEATMAP_SIZE * HEATMAP_SIZE
        heat_logits = self.heat(fine).reshape(batch, NUM_JOINTS, cells)
        heat = functional.softmax(heat_logits, dim=2)
        pooled = functional.adaptive_avg_pool2d(coarse, 1).reshape(batch, coarse.shape[1])
        hidden = functional.relu(self.hand_hidden(pooled))
        # The score looks at the features under each joint's heatmap, and may not bend the heatmap.
        under = torch.matmul(heat.detach(), fine.reshape(batch, channels, cells).permute(0, 2, 1))
        peak = heat.detach().amax(dim=2, keepdim=True)
        mixed = (
            under + self.score_peak(peak) + self.score_global(pooled).reshape(batch, 1, channels)
        )
        score_logits = self.score_out(functional.relu(mixed)).reshape(batch, NUM_JOINTS)
        depth = self.depth_local(under).reshape(batch, NUM_JOINTS) + self.depth_global(pooled)
        return RawLandmarks(
            heat_logits,
            torch.matmul(heat, self.grid),
            score_logits,
            depth - depth[:, :1],
            self.presence_out(hidden),
            self.right_out(hidden),
        )

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Normalised RGB crop (N, 3, 128, 128) float -> decoded outputs.

        Returns:
            joints (N, 21, 2), x and y in [0, 1] of the crop, hand21 order; score (N, 21), the
            probability that a joint lies within a tenth of the hand box of its true place; depth
            (N, 21) relative to the wrist, away from the camera positive, in units of the crop side
            (weak perspective); presence (N, 1), probability of a hand; handedness (N, 1),
            probability of an anatomical right hand.
        """
        raw = self.heads(self.features(image))
        return (
            raw.joints,
            torch.sigmoid(raw.score_logits),
            raw.depth,
            torch.sigmoid(raw.presence_logits),
            torch.sigmoid(raw.right_logits),
        )


def hand_landmark() -> nn.Module:
    """The network of the shipped default model, with fresh weights: 1.8 M parameters, 0.19 GMAC."""
    return HandLandmark()


SPEC = NetworkSpec(
    name="hand_landmark",
    task="hand-2d",
    build=hand_landmark,
    inputs=(TensorSpec("image", (1, 3, INPUT_SIZE_PX, INPUT_SIZE_PX), "float32", "NCHW"),),
    outputs=(
        TensorSpec("joints", (1, NUM_JOINTS, 2), "float32"),
        TensorSpec("score", (1, NUM_JOINTS), "float32"),
        TensorSpec("depth", (1, NUM_JOINTS), "float32"),
        TensorSpec("presence", (1, 1), "float32"),
        TensorSpec("handedness", (1, 1), "float32"),
    ),
    preprocess=PreprocessSpec(
        width_px=INPUT_SIZE_PX,
        height_px=INPUT_SIZE_PX,
        colour="rgb",
        fit="crop",
        crop_scale=1.5,
        # A tenth more error than upright (hand_landmark.md has the table).
        max_tilt_deg=30.0,
        mean=MEAN_RGB,
        std=STD_RGB,
    ),
    decode=DecodeSpec(
        kind="coordinates",
        outputs={
            "joints": "joints",
            "score": "score",
            "depth": "depth",
            "presence": "presence",
            "handedness": "handedness",
        },
        where="graph",
    ),
)
