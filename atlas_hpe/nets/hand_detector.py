"""`hand_detector`: the small RGB network that finds hands in a whole picture.

Anchor-free, one peak per hand on a map of stride 8 (Zhou et al. 2019, Objects as Points), with
context from strides 16 and 32. Built like `hand_landmark`: plain 3x3 and 1x1 convolutions with
channels in multiples of 16, each followed by the batch norm that folds into it; no norm, softmax
or exponential in the graph, so that fp16 keeps its precision. Only operators with a plain opset-11
form are used. Boxes are decoded on the host from a handful of cells.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from atlas_hpe.card import DecodeSpec, PreprocessSpec, TensorSpec
from atlas_hpe.nets.blocks import Residual, conv_bn_relu
from atlas_hpe.nets.hand_landmark import MEAN_RGB, STD_RGB
from atlas_hpe.nets.spec import NetworkSpec

__all__ = [
    "INPUT_SIZE_PX",
    "MAP_SIZE",
    "SPEC",
    "HandDetector",
    "RawDetections",
    "hand_detector",
]

INPUT_SIZE_PX = 192
MAP_SIZE = 24
# The score of a fresh network: nearly all cells hold no hand (Lin et al. 2017, section 4.1).
_FIRST_SCORE_LOGIT = -4.6


class RawDetections(NamedTuple):
    """Head outputs before the sigmoid, as the loss wants them.

    score_logits (N, 1, 24, 24); box (N, 4, 24, 24); direction (N, 2, 24, 24).
    """

    score_logits: Tensor
    box: Tensor
    direction: Tensor


class HandDetector(nn.Module):
    """A picture -> one map of scores, boxes and directions.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 96, 128)) -> None:
        super().__init__()
        stem, quarter, fine, middle, coarse = widths
        self.stem = nn.Sequential(
            conv_bn_relu(3, stem, stride=2), conv_bn_relu(stem, quarter, stride=2)
        )
        self.down_fine = nn.Sequential(conv_bn_relu(quarter, fine, stride=2), Residual(fine))
        self.down_middle = nn.Sequential(conv_bn_relu(fine, middle, stride=2), Residual(middle))
        self.down_coarse = nn.Sequential(conv_bn_relu(middle, coarse, stride=2), Residual(coarse))
        self.reduce_coarse = conv_bn_relu(coarse, middle, kernel=1)
        self.up_middle = Residual(middle)
        self.reduce_middle = conv_bn_relu(middle, fine, kernel=1)
        self.up_fine = conv_bn_relu(fine, fine)
        self.score = nn.Conv2d(fine, 1, 1)
        self.box = nn.Conv2d(fine, 4, 1)
        self.direction = nn.Conv2d(fine, 2, 1)
        nn.init.constant_(self.score.bias, _FIRST_SCORE_LOGIT)  # type: ignore[arg-type]

    def raw(self, image: Tensor) -> RawDetections:
        """Normalised RGB (N, 3, 192, 192) -> everything the loss needs."""
        fine = self.down_fine(self.stem(image))
        middle = self.down_middle(fine)
        coarse = self.down_coarse(middle)
        up = functional.interpolate(self.reduce_coarse(coarse), scale_factor=2.0, mode="nearest")
        middle = self.up_middle(middle + up)
        up = functional.interpolate(self.reduce_middle(middle), scale_factor=2.0, mode="nearest")
        fine = self.up_fine(fine + up)
        return RawDetections(self.score(fine), self.box(fine), self.direction(fine))

    def forward(self, image: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Normalised RGB picture (N, 3, 192, 192) float -> maps of 24 x 24 cells.

        Returns:
            score (N, 1, 24, 24), the probability that the centre of a hand's box lies in the cell;
            box (N, 4, 24, 24): x and y of that centre from the middle of the cell in cells, then
            width and height of the box around the joints in units of the input's side; direction
            (N, 2, 24, 24): the vector from the wrist to the middle finger's base, x right, y down,
            of about unit length.
        """
        raw = self.raw(image)
        return torch.sigmoid(raw.score_logits), raw.box, raw.direction


def hand_detector() -> nn.Module:
    """The shipped detector with fresh weights: 0.95 M parameters, 0.16 GMAC."""
    return HandDetector()


SPEC = NetworkSpec(
    name="hand_detector",
    task="hand-detect",
    build=hand_detector,
    inputs=(TensorSpec("image", (1, 3, INPUT_SIZE_PX, INPUT_SIZE_PX), "float32", "NCHW"),),
    outputs=(
        TensorSpec("score", (1, 1, MAP_SIZE, MAP_SIZE), "float32", "NCHW"),
        TensorSpec("box", (1, 4, MAP_SIZE, MAP_SIZE), "float32", "NCHW"),
        TensorSpec("direction", (1, 2, MAP_SIZE, MAP_SIZE), "float32", "NCHW"),
    ),
    preprocess=PreprocessSpec(
        width_px=INPUT_SIZE_PX,
        height_px=INPUT_SIZE_PX,
        colour="rgb",
        fit="letterbox",
        border="mean",
        mean=MEAN_RGB,
        std=STD_RGB,
    ),
    decode=DecodeSpec(
        kind="centre-heatmap",
        outputs={"score": "score", "box": "box", "direction": "direction"},
        options={"min_score": 0.25, "max_overlap": 0.4},
    ),
)
