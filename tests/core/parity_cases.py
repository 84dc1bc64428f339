"""A card, feeds and answers for tests of parity: the "network" gives back its 21 joints."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional

import numpy as np

import tiny_onnx
from atlas_hpe.card import ModelCard, PreprocessSpec
from atlas_hpe.parity import Answer, BundleFacts, Sample

Outputs = Mapping[str, np.ndarray]
SIDE_PX = 128
CARD = tiny_onnx.hand_card(
    PreprocessSpec(
        width_px=SIDE_PX,
        height_px=64,
        colour="rgb",
        fit="letterbox",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
    ),
    {"y": (1, 42)},
)
FACTS = BundleFacts(
    reference="net.pt",
    reference_kind="PyTorch",
    reference_sha256="ab" * 32,
    model="net.onnx",
    model_sha256="cd" * 32,
    source="made-up samples",
    tools={"torch": "2"},
    card=CARD,
)


def give(feed: Outputs) -> Outputs:
    """A model that gives back what it is fed."""
    return feed


def change(edit: Callable[[np.ndarray], object]) -> Callable[[Outputs], Outputs]:
    """A model that gives back an edited copy."""

    def run(feed: Outputs) -> Dict[str, np.ndarray]:
        values = feed["y"].copy()
        edit(values)
        return {"y": values}

    return run


def joints_of(_card: ModelCard, outputs: Outputs) -> np.ndarray:
    return outputs["y"].reshape(21, 2)


def feeds(count: int = 3) -> List[Dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"y": rng.uniform(0, 64, (1, 42)).astype(np.float32)} for _ in range(count)]


def sample(
    name: str = "a.jpg",
    values: Optional[np.ndarray] = None,
    to_source: Optional[np.ndarray] = None,
) -> Sample:
    array = feeds(1)[0]["y"] if values is None else values
    return Sample(name, {"y": array}, to_source=to_source)


def answers(count: int = 2, size_px: int = 16) -> List[Answer]:
    """As ``ask`` gives them, with crops and maps."""
    rng = np.random.default_rng(1)
    found = []
    for number, feed in enumerate(feeds(count)):
        asked = Sample(
            f"picture {number}.jpg",
            feed,
            crop=rng.integers(0, 256, (size_px, size_px, 3)).astype(np.uint8),
            to_source=np.array([[2.0, 0.0, 5.0], [0.0, 3.0, -7.0]]),
        )
        found.append(Answer(asked, feed, joints_of(CARD, feed).astype(np.float64)))
    return found
