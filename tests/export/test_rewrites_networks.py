"""What PyTorch writes for common idioms, after the rules: PyTorch's values, on board operators."""

from __future__ import annotations

import io
import warnings
from typing import Callable, Dict, Tuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxsim")
pytest.importorskip("onnxruntime")

from rewrite_graphs import apply_rules, assert_runs_on_board, op_types  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from atlas_hpe_export.graph import Guard  # noqa: E402
from atlas_hpe_export.rewrites import REWRITES  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402
from atlas_hpe_export.simplify import simplify  # noqa: E402


class Idiom(nn.Module):
    """A function as a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def add_into_channels(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, :3] += x[:, 3:6]
    return y


def write_every_second_column(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, :, 2:5, ::2] = x[:, :, :3, :4] * 2
    return y


def write_a_camera(x: Tensor) -> Tensor:
    camera = torch.zeros(x.shape[0], 3, 3)
    camera[:, 0, 0] = x[:, 0, 0, 0]
    camera[:, 1, 1] = x[:, 1, 0, 0]
    camera[:, 0, 2] = x[:, 2, 0, 0]
    camera[:, 2, 2] = 1
    return camera @ x[:, 0, :3, :3]


def pixel_of_maximum(x: Tensor) -> Tensor:
    flat = x.flatten(2).argmax(2)
    return torch.stack([(flat % 8).float(), (flat // 8).float()], -1)


def value_at_maximum(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    return torch.gather(flat, 2, flat.argmax(2, keepdim=True))


def flip_and_roll(x: Tensor) -> Tensor:
    return torch.flip(x, [3]).roll(1, 2)


def masked_attention(x: Tensor) -> Tensor:
    scores = x @ x.transpose(-1, -2) / 8**0.5
    mask = torch.ones(8, 8).tril() == 0
    return torch.nan_to_num(scores.masked_fill(mask, -1e4).softmax(-1)) @ x


def split_heads(x: Tensor) -> Tensor:
    query, key, value = x.reshape(x.shape[0], 3, 2, 8, 8).unbind(1)
    return (query @ key.transpose(-1, -2)).softmax(-1) @ value


def mirror(x: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), torch.ones(2, x.shape[1], 3, 3))


def resize(x: Tensor) -> Tensor:
    up = F.interpolate(x, scale_factor=2, mode="bilinear")
    return F.interpolate(up, size=(24, 20), mode="bicubic")


def mean_of_windows(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.interpolate(x, scale_factor=8, mode="nearest"), 32)


def double_precision(x: Tensor) -> Tensor:
    return (x.double() * torch.tensor(np.linspace(0, 1, 8))).float() + 1


def layer_norm(x: Tensor) -> Tensor:
    return F.layer_norm(x * 1000, (8,), eps=1e-6)


IDIOMS: Dict[str, Tuple[Callable[[Tensor], Tensor], Tuple[str, ...]]] = {
    "add into channels": (add_into_channels, ("ScatterND",)),
    "write every second column": (write_every_second_column, ("ScatterND",)),
    "write a camera": (write_a_camera, ("ScatterND", "ScatterElements")),
    "pixel of the maximum": (pixel_of_maximum, ("Div", "Mod")),
    "value at the maximum": (value_at_maximum, ("GatherElements",)),
    "flip and roll": (flip_and_roll, ()),
    "masked attention": (masked_attention, ("IsNaN", "IsInf")),
    "split heads": (split_heads, ("Gather",)),
    "mirror": (mirror, ("Pad",)),
    "resize": (resize, ()),
    "mean of windows": (mean_of_windows, ()),
    "double precision": (double_precision, ()),
    "layer norm": (layer_norm, ("Pow",)),
}


def export(module: nn.Module, x: Tensor) -> onnx.ModelProto:
    buffer = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), buffer, dynamo=False, opset_version=11, **names)
    return onnx.load_from_string(buffer.getvalue())


@pytest.mark.parametrize("name", IDIOMS)
def test_an_idiom_of_pytorch_runs_on_the_board(name: str) -> None:
    function, gone = IDIOMS[name]
    x = torch.rand(1, 6, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.5
    module = Idiom(function).eval()
    feeds = {"x": x.numpy()}
    model = export(module, x)
    guard = Guard(model, [feeds])
    model, _ = simplify(model, guard)
    model, steps = apply_rules(model, REWRITES, [feeds])
    assert "reverted" not in [step.status for step in steps], steps
    model, _ = simplify(model, guard)
    with torch.no_grad():
        expected = module(x).numpy()
    np.testing.assert_allclose(run_model(model, [feeds])[0]["y"], expected, atol=1e-4)
    # The index of ArgMax is int64 in ONNX and int32 on the board (ascend.md section 3.7).
    assert_runs_on_board(model, ignored=["ai-cpu-type"] if "maximum" in name else [])
    assert not set(gone) & set(op_types(model))
    again = apply_rules(model, REWRITES, [feeds])[1]
    assert not [step for step in again if step.status == "applied"], again
