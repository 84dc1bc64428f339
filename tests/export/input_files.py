"""The Python file of a user with a network of their own, as ``--factory`` meets it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Dict

import torch
from torch import Tensor

SOURCE = """
import torch
from torch import nn
from toy_networks import TOY_SPEC


class Pose(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.register_buffer("order", torch.tensor([2, 0, 1]))

    def forward(self, image, scale=None):
        deep = torch.relu(self.norm(self.conv(image[:, self.order])))
        return deep if scale is None else deep * scale


class Anything(nn.Module):
    def forward(self, *images):
        return sum(images)


def build():
    print("building")
    return Pose()


def build_wide():
    return Pose(8)


def build_spec():
    return TOY_SPEC


def build_a_number():
    return 5


def build_wrongly():
    width = 3
    return Pose(width / 0)


def build_with_argument(width):
    return Pose(width)


def leave():
    raise SystemExit(3)


SPEC = TOY_SPEC
READY = Pose()


class Holder:
    build = staticmethod(build)
"""


def write_network(folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text(textwrap.dedent(SOURCE))


def imported(folder: Path) -> ModuleType:
    """The user's module, imported by the test itself."""
    sys.path.insert(0, str(folder))
    try:
        return __import__("users_net")
    finally:
        sys.path.remove(str(folder))


def weights_of(network: torch.nn.Module, seed: int = 0) -> Dict[str, Tensor]:
    """Its state dict with numbers that are not those of a fresh network."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
