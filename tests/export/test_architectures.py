"""Networks of published kinds through both front ends, down to what the board takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from batch_checks import find_batch_fault  # noqa: E402
from frontend_checks import capture_with, find_difference, input_names  # noqa: E402
from toy_architectures import ARCHITECTURES, build_architecture, draw_inputs  # noqa: E402

from atlas_hpe.targets import find_target  # noqa: E402
from atlas_hpe_export.check import check_onnx  # noqa: E402
from atlas_hpe_export.check.finding import BLOCKER  # noqa: E402
from atlas_hpe_export.fit import fit_to_board  # noqa: E402
from atlas_hpe_export.frontends import FRONTENDS  # noqa: E402
from atlas_hpe_export.frontends.outputs import flatten_outputs  # noqa: E402
from atlas_hpe_export.steps import BATCH_STEP  # noqa: E402

#: Why these hold for one batch only.
KEEPS_ITS_BATCH = {
    "camera-geometry": "rows of zeros are put together with computed ones: a Concat with constants",
    "graph-convolution": "an Einsum makes one matrix of all pictures",
    "rexnet": "channels are written into zeros: a Concat with constants",
    "spatial-transformer": "GridSample reads from one table of pixels",
    "vision-transformer": "the class token is a Concat with a constant",
}


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_a_network_becomes_a_graph_that_the_board_takes(name: str, frontend: str) -> None:
    network, inputs = build_architecture(name), draw_inputs(name)
    captured = capture_with(frontend, network, inputs)
    assert find_difference(network, captured, inputs) is None
    feeds = dict(zip(input_names(len(inputs)), (item.numpy() for item in inputs)))
    model, steps = fit_to_board(captured.model, [feeds], find_target("Ascend310"))
    onnx.checker.check_model(model, full_check=True)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 11)]
    assert check_onnx(model).of(BLOCKER) == ()
    # A graph that froze a value of the example would show it on another picture.
    fitted = replace(captured, model=model)
    assert find_difference(network, fitted, inputs) is None
    assert find_difference(network, fitted, draw_inputs(name, seed=1)) is None
    fault = find_batch_fault(model)
    assert (fault is not None) == (name in KEEPS_ITS_BATCH), fault
    assert (BATCH_STEP in {step.name for step in steps}) == (name in KEEPS_ITS_BATCH)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_a_toy_that_is_alive(name: str) -> None:
    network = build_architecture(name)
    assert sum(item.numel() for item in network.parameters()) < 200_000
    assert all(max(shape[2:], default=0) <= 64 for shape in ARCHITECTURES[name].shapes)
    with torch.no_grad():
        outputs = [tensor for _, tensor in flatten_outputs(network(*draw_inputs(name)))]
    assert all(float(item.std()) > 1e-3 for item in outputs), "it could hide a difference"
