"""Networks of published kinds through both front ends: the graph says what PyTorch says."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from frontend_checks import capture_with, find_difference  # noqa: E402
from toy_architectures import ARCHITECTURES, build_architecture, draw_inputs  # noqa: E402

from atlas_hpe_export.frontends import FRONTENDS  # noqa: E402
from atlas_hpe_export.frontends.outputs import flatten_outputs  # noqa: E402


def check_exported(model: onnx.ModelProto) -> None:
    """What every captured graph has to go through; it is already found equal to PyTorch."""
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_the_graph_says_what_pytorch_says(name: str, frontend: str) -> None:
    network, inputs = build_architecture(name), draw_inputs(name)
    captured = capture_with(frontend, network, inputs)
    assert find_difference(network, captured, inputs) is None
    # A graph that froze a value of the example would show it on another picture.
    assert find_difference(network, captured, draw_inputs(name, seed=1)) is None
    check_exported(captured.model)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_a_toy_that_is_alive(name: str) -> None:
    network = build_architecture(name)
    assert sum(item.numel() for item in network.parameters()) < 200_000
    assert all(max(shape[2:], default=0) <= 64 for shape in ARCHITECTURES[name].shapes)
    with torch.no_grad():
        outputs = [tensor for _, tensor in flatten_outputs(network(*draw_inputs(name)))]
    assert all(float(item.std()) > 1e-3 for item in outputs), "it could hide a difference"
