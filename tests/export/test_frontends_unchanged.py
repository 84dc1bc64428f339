"""An export leaves no traces: not in the network, not in loggers and registries, not on screen."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from typing import Callable, Dict, List

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from frontend_checks import Calls, capture_with  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from toy_networks import example, toy_heatmaps  # noqa: E402

from atlas_hpe.errors import AtlasHpeError, CheckFailedError  # noqa: E402
from atlas_hpe_export.frontends import FRONTENDS, choice  # noqa: E402
from atlas_hpe_export.frontends.gaps import registered_symbolics  # noqa: E402
from atlas_hpe_export.frontends.quiet import quiet, readable  # noqa: E402
from atlas_hpe_export.frontends.unchanged import unchanged  # noqa: E402

both = pytest.mark.parametrize("frontend", FRONTENDS)


class CountsItsCalls(nn.Module):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image * 2


class ReplacesItsBuffer(CountsItsCalls):
    def forward(self, image: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return image * 2


class TrainsItsNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, image: Tensor) -> Tensor:
        self.norm.train()
        return self.norm(image)


@both
@pytest.mark.parametrize("kind", [CountsItsCalls, ReplacesItsBuffer, TrainsItsNorm])
def test_a_forward_that_changes_the_network_is_an_error_and_undone(
    frontend: str, kind: Callable[[], nn.Module]
) -> None:
    network = kind().eval()
    before = {name: value.clone() for name, value in network.named_buffers()}
    with pytest.raises(CheckFailedError, match="the network changed") as caught:
        capture_with(frontend, network, [torch.randn(1, 3, 4, 4)])
    assert str(caught.value.where).split("'")[1] in before
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    assert not any(part.training for part in network.modules())


class Stubborn(nn.Module):
    """Its train() is not the usual one, as that of programs of torch.export."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def train(self, mode: bool = True) -> Stubborn:
        raise NotImplementedError("train is not supported")

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(image)


@both
def test_modes_are_as_before_and_the_graph_is_that_of_eval_mode(frontend: str) -> None:
    network = Stubborn()
    network.norm.training = True
    network.training = False
    with torch.no_grad():
        network.norm.running_mean.fill_(3.0)
    captured = capture_with(frontend, network, [torch.zeros(1, 3, 4, 4)])
    assert (network.training, network.norm.training) == (False, True)
    assert "train" not in vars(network)
    nodes = [node.op_type for node in captured.model.graph.node if node.op_type != "Constant"]
    assert nodes == ["BatchNormalization"]
    attributes = {item.name: item.i for item in captured.model.graph.node[-1].attribute}
    assert attributes.get("training_mode", 0) == 0


def fails(image: Tensor) -> Tensor:
    return torch.linalg.svdvals(image)


@both
@pytest.mark.parametrize("good", [True, False], ids=["success", "failure"])
def test_hooks_and_weights_are_as_before(frontend: str, good: bool) -> None:
    calls: List[int] = []
    network = toy_heatmaps() if good else Calls(fails).eval()
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    hooks = dict(network._forward_hooks)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    identities = {name: id(value) for name, value in network.named_parameters()}
    with contextlib.suppress(AtlasHpeError):
        capture_with(frontend, network, [example()])
    assert dict(network._forward_hooks) == hooks
    assert identities == {name: id(value) for name, value in network.named_parameters()}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    handle.remove()
    assert not network._forward_hooks


def test_what_a_block_changes_is_put_back_even_when_it_fails() -> None:
    network = toy_heatmaps()
    network.norm.running_var[0] = float("nan")
    weight = network.conv.weight.clone()

    hook = network.register_forward_hook(lambda *_: None)
    hooks = dict(network._forward_hooks)

    def spoil() -> None:
        network.train()
        hook.remove()
        network.conv.weight.data.zero_()
        network.norm.running_mean = None
        network.register_forward_pre_hook(lambda *_: None)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"), unchanged(network):
        spoil()
    assert torch.equal(network.conv.weight, weight)
    assert network.norm.running_mean.tolist() == pytest.approx([0.1, -0.2, 0.3])
    assert not network._forward_pre_hooks
    assert dict(network._forward_hooks) == hooks
    assert not any(part.training for part in network.modules())


def test_a_block_that_changes_nothing_is_no_error_with_nan_in_the_weights() -> None:
    network = toy_heatmaps()
    network.norm.running_var[0] = float("nan")
    with unchanged(network):
        network(example())


@both
def test_a_candidate_that_changes_the_network_is_not_taken(
    frontend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FRONTENDS[frontend]

    def spoils(request: choice.Request) -> object:
        model = real(request)
        request.network.get_submodule("conv").weight.data.zero_()
        return model

    monkeypatch.setattr(choice, "FRONTENDS", {frontend: spoils})
    network = toy_heatmaps()
    with pytest.raises(CheckFailedError, match="can't write the network") as caught:
        capture_with(frontend, network, [example()])
    assert "changed while it was exported" in str(caught.value.why)
    assert float(network.conv.weight.detach().abs().sum()) > 0


def speaks(image: Tensor) -> Tensor:
    print("forward speaks")  # noqa: T201
    print("and complains", file=sys.stderr)  # noqa: T201
    return image * 2


def branches(image: Tensor) -> Tensor:
    return image * 2 if bool(image.sum() > 0) else image


def constant(image: Tensor) -> Dict[str, Tensor]:
    weight = torch.ones(3)
    return {"image": image, "weight": weight, "again": weight}


@both
@pytest.mark.parametrize("function", [abs, fails, speaks, branches, constant])
def test_nothing_is_printed(
    frontend: str, function: Callable[[Tensor], object], capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(AtlasHpeError):
            capture_with(frontend, Calls(function).eval(), [torch.ones(3, 3)])
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


@both
def test_loggers_are_as_before(frontend: str) -> None:
    def levels() -> Dict[str, int]:
        names = ("", "torch", "torch.onnx", "torch.export", "onnxscript", "onnx_ir")
        return {name: logging.getLogger(name).level for name in names}

    capture_with(frontend, toy_heatmaps(), [example()])  # what loading PyTorch sets is not ours
    logging.getLogger("torch.onnx").setLevel(logging.INFO)
    before = levels()
    try:
        for network in (toy_heatmaps(), Calls(fails).eval()):
            with contextlib.suppress(AtlasHpeError):
                capture_with(frontend, network, [example()])
            assert levels() == before
    finally:
        logging.getLogger("torch.onnx").setLevel(logging.NOTSET)


def test_quiet_silences_and_restores() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("torch.something.new")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        with quiet() as caught:
            logger.error("nobody hears this")
            logging.getLogger("torch.something.newer").error("nor this")
            warnings.warn("first line\nsecond line", UserWarning, stacklevel=1)
            warnings.warn("first line\nanother", UserWarning, stacklevel=1)
            warnings.warn("planned", FutureWarning, stacklevel=1)
        logger.error("heard")
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == "heard\n"
    assert readable(caught) == ("first line",)


def test_other_peoples_loggers_go_on() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("somebody.else")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        with quiet():
            logger.error("heard")
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == "heard\n"


def test_pytorchs_own_forms_are_back_afterwards() -> None:
    """A gap that stayed registered would leave its placeholder in everybody's exports."""

    def operators() -> List[str]:
        data = io.BytesIO()
        pool = nn.AdaptiveAvgPool2d(2).eval()
        with quiet():
            torch.onnx.export(pool, (example(),), data, dynamo=False, opset_version=18)
        return [node.op_type for node in onnx.load_model_from_string(data.getvalue()).graph.node]

    before = operators()
    with registered_symbolics(18):
        assert operators() != before
    with contextlib.suppress(ValueError), registered_symbolics(18):
        raise ValueError
    assert operators() == before


def test_importing_the_front_ends_registers_nothing() -> None:
    from torch.onnx._internal.torchscript_exporter import registration

    group = registration.registry.get_function_group("aten::linalg_inv")
    assert group is None or group.get(18) is None
