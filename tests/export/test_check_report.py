"""The report as data and as text, and the module of a node."""

from __future__ import annotations

import json
from typing import Optional

import jsonschema
import onnx
import pytest
from check_graphs import model, node

from atlas_hpe_export import check_onnx, check_to_dict, describe_check
from atlas_hpe_export.check.finding import SEVERITIES
from atlas_hpe_export.check.module_path import find_module

TEXT = {"type": "string", "minLength": 1}
MAYBE = {"type": ["string", "null"]}
COUNT = {"type": "integer", "minimum": 0}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "model", "soc", "cann", "opset", "nodes", "operators", "samples", "passed", "counts",
        "findings",
    ],
    "properties": {
        "model": TEXT,
        "soc": TEXT,
        "cann": TEXT,
        "opset": COUNT,
        "nodes": COUNT,
        "operators": {"type": "object", "additionalProperties": COUNT},
        "samples": COUNT,
        "passed": {"type": "boolean"},
        "counts": {"type": "object", "required": list(SEVERITIES), "additionalProperties": COUNT},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["rule", "severity", "what", "why", "fix", "source"],
                "properties": {
                    "rule": {"type": "string", "pattern": "^[a-z0-9-]+$"},
                    "severity": {"enum": list(SEVERITIES)},
                    "what": TEXT,
                    "why": TEXT,
                    "fix": TEXT,
                    "node": MAYBE,
                    "op_type": MAYBE,
                    "module": MAYBE,
                    "code": MAYBE,
                    "source": TEXT,
                    "rewrite": MAYBE,
                },
            },
        },
    },
}  # fmt: skip


def softmaxes(count: int) -> onnx.ModelProto:
    names = [f"v{index}" for index in range(count)]
    nodes = [
        node("Softmax", before, after, name=f"/block{index}/Softmax")
        for index, (before, after) in enumerate(zip(["x", *names], [*names[:-1], "y"]))
    ]
    return model(nodes)


def test_the_verdict_comes_first() -> None:
    lines = describe_check(check_onnx(softmaxes(2)))
    assert lines[0] == (
        "graph: 2 blockers (Ascend310, CANN 6.0, opset 11, 2 nodes), no warning, no note"
    )
    passing = describe_check(check_onnx(model([node("Relu")])))
    assert passing == [
        "graph: no blocker (Ascend310, CANN 6.0, opset 11, 1 node), no warning, no note"
    ]


def test_alike_findings_are_told_once_with_their_first_places() -> None:
    text = "\n".join(describe_check(check_onnx(softmaxes(5))))
    assert text.count("blocker: Softmax over axis 1") == 1
    assert "(5 places)" in text
    assert "/block0/Softmax (module block0), /block1/Softmax (module block1)" in text
    assert "/block3" not in text
    assert ", and 2 more" in text


def test_operators_that_need_the_same_step_are_counted_together() -> None:
    nodes = [node("Relu", "x", "a"), node("Neg", "a", "b"), node("Relu", "b")]
    text = "\n".join(describe_check(check_onnx(model(nodes, opset=17))))
    assert text.count("blocker: the parser does not know") == 1
    assert "operators: Relu x2, Neg x1" in text


def test_blockers_come_before_warnings_and_notes() -> None:
    nodes = [node("Exp", "x", "a"), node("Det", "a", "b"), node("Transpose", "b")]
    report = check_onnx(model(nodes, {"x": (1, 3, 3)}))
    order = [SEVERITIES.index(item.severity) for item in report.findings]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2}


def test_json_holds_every_finding() -> None:
    data = json.loads(json.dumps(check_to_dict(check_onnx(softmaxes(5))), allow_nan=False))
    jsonschema.validate(data, SCHEMA)
    assert len(data["findings"]) == 5
    assert data["counts"] == {"blocker": 5, "warning": 0, "note": 0}
    assert data["operators"] == {"Softmax": 5}
    assert data["passed"] is False


def test_operators_of_other_domains_are_counted_with_their_domain() -> None:
    proto = model([node("Warp", domain="mmcv")], others=[("mmcv", 1)])
    assert check_onnx(proto).operators == {"mmcv::Warp": 1}


def test_only_what_the_export_mends_is_mendable() -> None:
    assert check_onnx(model([node("Relu")], opset=13)).is_mendable
    assert not check_onnx(model([node("FlowWarp")])).is_mendable
    assert not check_onnx(model([node("Relu")], ir_version=9)).is_mendable  # a note only


def test_the_front_doors_are_the_same_function() -> None:
    import atlas_hpe

    assert getattr(atlas_hpe, "check_onnx", check_onnx) is check_onnx


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/decoder/up1/Resize", "decoder.up1"),
        ("/decoder/up1/Resize_12", "decoder.up1"),
        ("/Sigmoid", ""),
        ("/decoder/up1/LayerNormalization/ReduceMean", "decoder.up1"),
        ("/decoder/up1/Softmax_1/ReduceMax", "decoder.up1"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/blocks.3/attn/MatMul_1", "blocks.3.attn"),
        ("/Up5/Maxpool/MaxPool", "Up5.Maxpool"),
        ("Conv_12", None),
        ("", None),
        ("/", ""),
    ],
)
def test_the_module_is_read_from_the_name(name: str, module: Optional[str]) -> None:
    assert find_module(onnx.NodeProto(name=name)) == module


@pytest.mark.parametrize(
    ("scopes", "module"),
    [
        ("['', 'layer1', 'layer1.0', 'conv2d']", "layer1.0"),
        ("['', 'relu']", ""),
        ("['relu']", ""),
        ("not a list", None),
        ("{}", None),
        ("[1, 2]", None),
        ("[" * 3000, None),
        ("['a', 'b']" + " " * 5000, None),
    ],
)
def test_the_module_is_read_from_the_scopes_of_the_exporter(
    scopes: str, module: Optional[str]
) -> None:
    proto = onnx.NodeProto(name="node_conv2d")
    proto.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    assert find_module(proto) == module
