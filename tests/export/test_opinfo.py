"""PyTorch's own samples of each operator: exported at opset 18, lowered to 11, the same values."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("expecttest", reason="torch.testing needs expecttest")

from onnx_graphs import lowered  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.utils._pytree import tree_flatten, tree_unflatten  # noqa: E402

from atlas_hpe_export.frontends.quiet import quiet  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

pytestmark = pytest.mark.slow

SAMPLES = 3  # per operator, spread over those that PyTorch lists
LISTED = 400
LARGEST = 6144  # elements
SHARE = 2e-5  # of the largest magnitude or of 1

LAYERS = (
    "conv1d conv2d conv3d conv_transpose2d linear batch_norm group_norm instance_norm layer_norm "
    "local_response_norm normalize rms_norm scaled_dot_product_attention embedding one_hot dropout "
    "avg_pool1d avg_pool2d max_pool1d max_pool2d adaptive_avg_pool2d adaptive_max_pool2d"
)
ACTIVATIONS = (
    "celu elu gelu glu hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish prelu relu6 selu "
    "silu softplus softsign threshold"
)
PICTURES = (
    "interpolate.area interpolate.bicubic interpolate.bilinear interpolate.linear "
    "interpolate.nearest interpolate.nearest-exact interpolate.trilinear pad.circular pad.constant "
    "pad.reflect pad.replicate grid_sample pixel_shuffle pixel_unshuffle unfold channel_shuffle"
)
PLAIN = (
    "__getitem__ add addmm amax argmax baddbmm bmm cat chunk clamp cumsum div.no_rounding_mode "
    "einsum erf exp expand flip fmod gather ge index_put index_select linalg.norm "
    "linalg.vector_norm log_softmax logsumexp masked_fill matmul max.binary "
    "max.reduction_with_dim mean minimum movedim mul narrow ne outer permute pow prod remainder "
    "repeat repeat_interleave reshape roll round scatter sigmoid sign slice softmax split "
    "split_with_sizes squeeze stack std sum take_along_dim tensordot tile topk transpose triu "
    "unbind unflatten unsqueeze var where _upsample_bilinear2d_aa"
)
FUNCTIONAL = " ".join([LAYERS, ACTIVATIONS, PICTURES])
OPERATORS = [*PLAIN.split(), *(f"nn.functional.{name}" for name in FUNCTIONAL.split())]


def everything(*_args: object, **_kwargs: object) -> bool:
    return True


@dataclass(frozen=True)
class Limit:
    """Samples of an operator that can't pass, and why."""

    reason: str
    concerns: Callable[..., object] = everything


EXPORTER = "PyTorch's exporter: "
LIMITS: Dict[str, Limit] = {
    "nn.functional.grid_sample": Limit(
        "volumes are refused: networks for hands sample pictures",
        lambda image, *_args, **_kwargs: image.ndim == 5,
    ),
    "amax": Limit(
        EXPORTER + "without dim it has no ONNX form",
        lambda *_args, dim=None, **_kwargs: dim is None,
    ),
    "index_put": Limit(
        "accumulate=True is a scattered sum, which no opset below 16 has",
        lambda *_args, accumulate=False, **_kwargs: accumulate,
    ),
    "linalg.norm": Limit(
        EXPORTER + "the singular values that a matrix norm needs have no ONNX form",
        lambda *args, **kwargs: any(
            item in (2, -2, "nuc") for item in (*args[1:2], kwargs.get("ord"))
        ),
    ),
    "narrow": Limit(
        "the start comes from the graph, and nothing says how much is left from there",
        lambda _x, _dim, start, *_args: isinstance(start, Tensor),
    ),
    "nn.functional.adaptive_max_pool2d": Limit(EXPORTER + "no ONNX form, see frontends/gaps"),
    "nn.functional.avg_pool2d": Limit(
        EXPORTER + "divisor_override is dropped without a word",
        lambda *args, divisor_override=None, **_kwargs: divisor_override or args[6:],
    ),
    "nn.functional.batch_norm": Limit(
        "training mode: its statistics are those of the batch, and change",
        lambda *_args, training=False, **_kwargs: training,
    ),
    "nn.functional.conv_transpose2d": Limit(
        "ONNX Runtime takes no output_padding as large as the stride",
        lambda *_args, stride=1, output_padding=0, **_kwargs: (
            np.max(output_padding) >= max(1, np.min(stride))
        ),
    ),
    "nn.functional.dropout": Limit(
        "training mode: it draws random numbers",
        lambda *_args, training=True, **_kwargs: training,
    ),
    "nn.functional.interpolate.area": Limit(
        EXPORTER + "adaptive_avg_pool3d has no ONNX form",
        lambda image, *_args, **_kwargs: image.ndim == 5,
    ),
    "nn.functional.one_hot": Limit(
        "the number of classes comes from the data",
        lambda *_args, num_classes=-1: num_classes == -1,
    ),
    "nn.functional.scaled_dot_product_attention": Limit(
        EXPORTER + "queries need four axes; with dropout_p it draws random numbers",
        lambda query, *_args, dropout_p=0, **_kwargs: query.ndim != 4 or dropout_p,
    ),
    "scatter": Limit(
        EXPORTER + "with reduce it has no ONNX form",
        lambda *_args, reduce=None, **_kwargs: reduce is not None,
    ),
}


class Samples(nn.Module):
    """All samples of an operator at once, since an export takes longer than everything else.

    Tensors of all samples come in as one flat list and go out as one; other arguments stay inside.
    """

    def __init__(self, operator: Callable[..., object], samples: Sequence[tuple]) -> None:
        super().__init__()
        self.operator, self.calls, self.tensors = operator, [], []
        for sample in samples:
            leaves, form = tree_flatten(sample)
            places = [at for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
            self.tensors += [leaves[at].detach().clone() for at in places]
            self.calls.append((leaves, form, places))

    def forward(self, *tensors: Tensor) -> Tuple[Tensor, ...]:
        rest, found = list(tensors), []
        for leaves, form, places in self.calls:
            filled = list(leaves)
            for at in places:
                filled[at] = rest.pop(0)
            args, kwargs = tree_unflatten(filled, form)
            outputs = tree_flatten(self.operator(*args, **kwargs))[0]
            found += [item for item in outputs if isinstance(item, Tensor)]
        return tuple(found)


def is_usable(call: tuple) -> bool:
    """Neither empty nor large nor without axes: layers of a network see none of these."""
    tensors = [item for item in tree_flatten(call)[0] if isinstance(item, Tensor)]
    sizes = [item.numel() for item in tensors]
    return bool(sizes) and min(sizes) > 0 and max(sizes) <= LARGEST and tensors[0].ndim > 0


def draw_samples(name: str, *, limited: bool) -> Samples:
    """Samples to which the limit of the operator applies, or does not."""
    from torch.testing._internal.common_methods_invocations import op_db

    torch.manual_seed(0)
    (info,) = [
        item
        for item in op_db
        if name == ".".join(filter(None, [item.name, item.variant_test_name]))
    ]
    dtype = torch.float32 if torch.float32 in info.dtypes else torch.int64
    limit, calls = LIMITS.get(name), []
    for sample in itertools.islice(info.sample_inputs("cpu", dtype), LISTED):
        args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)
        concerned = limit is not None and bool(limit.concerns(*args, **kwargs))
        if concerned == limited and is_usable((args, kwargs)):
            calls.append((args, kwargs))
    step = max(1, len(calls) // SAMPLES)
    return Samples(info.op, calls[::step][:SAMPLES])


def export(samples: Samples) -> onnx.ModelProto:
    with quiet():
        program = torch.onnx.export(
            samples, tuple(samples.tensors), dynamo=True, opset_version=18, optimize=True
        )
    return program.model_proto


def check(samples: Samples) -> None:
    with quiet(), torch.no_grad():
        wanted = [item.numpy() for item in samples(*samples.tensors)]
    model = export(samples)
    feeds = {
        value.name: tensor.numpy() for value, tensor in zip(model.graph.input, samples.tensors)
    }
    after = lowered(model, feeds, share=SHARE)
    found: List[np.ndarray] = list(run_model(after, [feeds])[0].values())
    assert len(found) == len(wanted)
    for have, want in zip(found, wanted):
        known = np.abs(want[np.isfinite(want)]) if want.dtype.kind == "f" else np.zeros(0)
        limit = SHARE * max(1.0, float(known.max(initial=0)))
        np.testing.assert_allclose(have, want, rtol=0, atol=limit)


@pytest.mark.parametrize(
    "name",
    [name for name in OPERATORS if name not in LIMITS or LIMITS[name].concerns is not everything],
)
def test_lowered_samples_have_the_values_of_pytorch(name: str) -> None:
    samples = draw_samples(name, limited=False)
    assert samples.calls
    check(samples)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=limit.reason))
        for name, limit in LIMITS.items()
    ],
)
def test_samples_beyond_the_limits(name: str) -> None:
    samples = draw_samples(name, limited=True)
    if samples.calls:
        check(samples)
