"""A toy network as a state dict and as ONNX files, for tests of the parity ladder."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Callable, List, Optional

import numpy as np
import onnx
import torch
from torch import nn
from toy_networks import SIZE_PX, TOY_SPEC, ToyHeatmaps, example, toy_heatmaps

from atlas_hpe.card import CARD_METADATA_KEY, ModelCard, Provenance, card_to_json
from atlas_hpe.parity import Sample
from atlas_hpe_export.finish import build_card

CARD = build_card(TOY_SPEC, None, Provenance(network="toy"))
FACTORY = "toy_networks:TOY_SPEC"


def network(seed: int = 0) -> ToyHeatmaps:
    """Every map has some mass, so every joint is found."""
    made = toy_heatmaps(seed)
    with torch.no_grad():
        made.conv.bias.fill_(1.0)
    return made


def write_weights(path: Path, module: Optional[nn.Module] = None) -> Path:
    torch.save((module or network()).state_dict(), path)
    return path


def write_onnx(
    path: Path,
    card: Optional[ModelCard] = CARD,
    edit: Optional[Callable[[onnx.ModelProto], object]] = None,
) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network(),
            (example(),),
            str(path),
            opset_version=11,
            input_names=["image"],
            output_names=["heatmaps"],
            dynamo=False,
        )
    model = onnx.load(str(path))
    if card is not None:
        onnx.helper.set_model_props(model, {CARD_METADATA_KEY: card_to_json(card)})
    if edit is not None:
        edit(model)
    onnx.save(model, str(path))
    return path


def read_asymmetric(model: onnx.ModelProto) -> None:
    """What a board does with half_pixel."""
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = b"asymmetric"


def make_samples(card: ModelCard, count: int) -> List[Sample]:
    """Pictures of noise that NV12 can hold, prepared as the card says."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        blocks = rng.integers(60, 200, (SIZE_PX // 2, SIZE_PX // 2, 3)).astype(np.uint8)
        crop = blocks.repeat(2, axis=0).repeat(2, axis=1)
        values = (crop[..., ::-1].astype(np.float32) / 255).transpose(2, 0, 1)[None]
        name = card.graphs[0].inputs[0].name
        feeds = {name: np.ascontiguousarray(values)}
        to_source = np.array([[2.0, 0, 0], [0, 2.0, 0]])
        found.append(Sample(f"picture {number}", feeds, crop=crop, to_source=to_source))
    return found


DEPTH_CARD = replace(CARD, task="depth-hand-3d")
