"""Model cards for tests: a plain one, and any that the dataclasses can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from atlas_hpe.card import (
    INPUT_FORMS,
    AippInput,
    BuildRecord,
    DecodeSpec,
    GraphSpec,
    ModelCard,
    PreprocessSpec,
    Provenance,
    TensorSpec,
)

DTYPES = ["float32", "float16", "int32", "int64", "uint8", "int8", "bool"]
TASKS = ["hand-2d", "hand-3d", "two-hands-3d", "depth-hand-3d", "hand-detect"]


def plain_card() -> ModelCard:
    """A card as an export writes it."""
    return ModelCard(
        name="toy",
        task="hand-2d",
        graphs=(
            GraphSpec(
                name="pose",
                inputs=(TensorSpec("image", (1, 3, 8, 8), "float32", "NCHW"),),
                outputs=(TensorSpec("heatmaps", (1, 21, 8, 8), "float32"),),
            ),
        ),
        preprocess=PreprocessSpec(
            width_px=8, height_px=8, colour="rgb", fit="crop", mean=(1.0, 2.0, 3.0), std=(4.0,) * 3
        ),
        decode=DecodeSpec(kind="heatmap-2d", outputs={"heatmaps": "heatmaps"}),
        provenance=Provenance(network="toy", opset=11),
    )


# Any text that JSON carries; a lone surrogate can't be encoded in the UTF-8 a card is stored in.
_texts = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8)
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_positive = st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False)
_sizes = st.integers(1, 1 << 40)


@st.composite
def _tensors(draw: st.DrawFn) -> TensorSpec:
    return TensorSpec(
        name=draw(_texts),
        shape=tuple(draw(st.lists(_sizes, max_size=5))),
        dtype=draw(st.sampled_from(DTYPES)),
        layout=draw(st.sampled_from(["NCHW", "NHWC", "ND"])),
    )


@st.composite
def _graphs(draw: st.DrawFn) -> GraphSpec:
    return GraphSpec(
        name=draw(_texts),
        inputs=tuple(draw(st.lists(_tensors(), min_size=1, max_size=2))),
        outputs=tuple(draw(st.lists(_tensors(), min_size=1, max_size=2))),
        file=draw(st.none() | _texts),
    )


@st.composite
def _aipp_inputs(draw: st.DrawFn) -> AippInput:
    form = draw(st.sampled_from(INPUT_FORMS))
    matrices = ["bt601-narrow", "bt601-wide", "bt709-narrow", "bt709-wide"]
    start = st.integers(0, 1 << 40)
    return AippInput(
        form=form,
        width_px=draw(_sizes),
        height_px=draw(_sizes),
        matrix=draw(st.sampled_from(matrices)) if form in ("nv12", "nv21") else None,
        crop=draw(st.none() | st.tuples(start, start, _sizes, _sizes)),
        padding=draw(st.tuples(*[st.integers(0, 32)] * 4)),
    )


@st.composite
def _preprocess(draw: st.DrawFn) -> PreprocessSpec:
    colour = draw(st.sampled_from(["rgb", "bgr", "gray"]))
    channels = 1 if colour == "gray" else 3
    where = draw(st.sampled_from(["host", "graph", "aipp"]))
    aipp = {"host": st.none(), "graph": st.none() | _aipp_inputs(), "aipp": _aipp_inputs()}[where]
    return PreprocessSpec(
        width_px=draw(_sizes),
        height_px=draw(_sizes),
        colour=colour,
        fit=draw(st.sampled_from(["stretch", "letterbox", "crop"])),
        mean=tuple(draw(st.lists(_numbers, min_size=channels, max_size=channels))),
        std=tuple(draw(st.lists(_positive, min_size=channels, max_size=channels))),
        crop_scale=draw(_positive),
        max_tilt_deg=draw(st.none() | _positive),
        border=draw(st.sampled_from(["replicate", "mean"])),
        layout=draw(st.sampled_from(["NCHW", "NHWC"])),
        dtype=draw(st.sampled_from(DTYPES)),
        where=where,
        aipp=draw(aipp),
    )


_builds = st.builds(
    BuildRecord,
    compiler=_texts,
    simulated=st.booleans(),
    options=st.dictionaries(_texts, _texts, max_size=2),
    onnx_sha256=_texts,
    om_sha256=_texts,
    duration_s=_numbers,
    peak_memory_mb=st.none() | _numbers,
    host=_texts,
)


@st.composite
def _provenance(draw: st.DrawFn) -> Provenance:
    optional = {
        key: draw(st.none() | _texts)
        for key in (
            *("checkpoint", "checkpoint_sha256", "licence", "frontend", "graph_sha256"),
            *("soc", "atc_command"),
        )
    }
    return Provenance(
        network=draw(_texts),
        attribution=tuple(draw(st.lists(_texts, max_size=2))),
        options=draw(st.dictionaries(_texts, _texts, max_size=2)),
        rewrites=tuple(draw(st.lists(_texts, max_size=2))),
        refused=tuple(draw(st.lists(_texts, max_size=2))),
        opset=draw(st.none() | st.integers(1, 30)),
        tools=draw(st.dictionaries(_texts, _texts, max_size=2)),
        precision=draw(st.sampled_from(DTYPES)),
        parity=draw(st.dictionaries(_texts, _numbers, max_size=2)),
        build=draw(st.none() | _builds),
        **optional,
    )


@st.composite
def cards(draw: st.DrawFn) -> ModelCard:
    """Any valid card."""
    return ModelCard(
        name=draw(_texts),
        task=draw(st.sampled_from(TASKS)),
        graphs=tuple(draw(st.lists(_graphs(), min_size=1, max_size=2))),
        preprocess=draw(_preprocess()),
        decode=DecodeSpec(
            kind=draw(_texts),
            outputs=draw(st.dictionaries(_texts, _texts, max_size=2)),
            options=draw(st.dictionaries(_texts, _numbers, max_size=2)),
            where=draw(st.sampled_from(["host", "graph"])),
        ),
        provenance=draw(_provenance()),
        joint_order=tuple(draw(st.lists(st.integers(0, 100), min_size=21, max_size=21))),
    )
