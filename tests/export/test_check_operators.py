"""The table of operators against the facts that it was made from, and in itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import onnx
import pytest
from check_graphs import model, node, rules_of

from atlas_hpe.errors import UsageError
from atlas_hpe_export.check import check_onnx
from atlas_hpe_export.check.operators import DYNAMIC, load_operators

TABLE = load_operators("Ascend310", "6.0")
DTYPES = {DYNAMIC, "bool", "float16", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@pytest.fixture(scope="module")
def facts(shared_data: Path) -> Dict[str, Dict[str, object]]:
    """The reference table, without its description."""
    path = shared_data.parent / "reference" / "ascend310_onnx_ops.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    del found["_meta"]
    return found


def test_the_table_knows_the_operators_of_the_facts(facts: Dict[str, Dict[str, object]]) -> None:
    assert set(TABLE.operators) == set(facts)
    assert len(facts) == 207
    for name, fact in facts.items():
        entry = TABLE.operators[name]
        assert entry.supported == fact["supported_on_310"], name
        assert entry.confidence == fact["confidence"], name
        if name != "Constant":  # the parser's own
            assert entry.registered["6.0"] == set(fact["registered_opsets_2022_06"]), name
        assert entry.newest == set(fact["registered_opsets_2026_08"]), name
        assert set(entry.kernels) == set(fact["ascend_ir"]), name


def test_engines_are_those_of_the_facts(facts: Dict[str, Dict[str, object]]) -> None:
    words = {"AiCpu": "AI CPU", "GELocal": "GE local"}
    for name, fact in facts.items():
        for kernel, engines in fact["engine_310"].items():
            wanted = {
                "AI Core" if item.startswith("AiCore:") else words.get(item) for item in engines
            } - {None}
            assert TABLE.operators[name].kernels[kernel] == wanted, (name, kernel)


def test_the_verdict_at_opset_11_is_that_of_the_facts(facts: Dict[str, Dict[str, object]]) -> None:
    for name, fact in facts.items():
        found = set(rules_of(check_onnx(model([node(name)]))))
        opsets = fact["registered_opsets_2022_06"]
        known = 11 in opsets or name == "Constant"
        if fact["supported_on_310"] is None:
            assert "registration-unknown" in found, name
            assert "not-registered" not in found, name
            continue
        assert ("not-registered" in found) == (not known), name
        on_cpu = any(engines == ["AiCpu"] for engines in fact["engine_310"].values())
        assert ("ai-cpu" in found) == (known and on_cpu), name


@pytest.mark.parametrize("name", sorted(TABLE.operators))
def test_an_entry_is_consistent(name: str) -> None:
    entry = TABLE.operators[name]
    assert entry.name == name
    assert entry.confidence in ("high", "medium", "low")
    assert set(entry.dtypes) <= {"in0", "in1", "out0"}
    assert all(types <= DTYPES and types for types in entry.dtypes.values())
    assert entry.engines <= {"AI Core", "AI CPU", "GE local"}
    assert set(entry.registered) == set(TABLE.releases)
    assert bool(entry.registered["6.0"]) == (entry.supported is True)
    if entry.supported:
        assert entry.registered["6.0"] <= set(range(1, 16))
        assert entry.kernels or name == "Constant"
    if entry.resolved:
        assert any(not engines for engines in entry.kernels.values())


@pytest.mark.parametrize(
    ("name", "opsets"),
    [
        ("Conv", {9, 10, 11, 12, 13}),
        ("GreaterOrEqual", {12, 13}),  # not at 9 to 11 in the source of 2022 either
        ("GRU", {11}),  # in no list of 5.0.4, yet in the source of February 2021
        ("Einsum", set()),  # in the source of 2022 only
        ("HardSwish", set()),  # listed, but no opset up to 13 has it
        ("Constant", {9, 10, 11, 12, 13}),
    ],
)
def test_what_counts_as_registered_in_5_0(name: str, opsets: set) -> None:
    assert TABLE.registered_opsets(name, "5.0") == opsets


def test_an_operator_that_nobody_knows_is_registered_nowhere() -> None:
    assert TABLE.registered_opsets("FlowWarp", "6.0") == frozenset()


@pytest.mark.parametrize(
    ("soc", "cann", "option"),
    [("Ascend999", "6.0", "--soc"), ("Ascend310", "9.9", "--cann"), ("310P3", "6.0", "--soc")],
)
def test_an_unknown_board_or_release_lists_the_known_ones(soc: str, cann: str, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_onnx(model([node("Relu")]), soc=soc, cann=cann)
    assert caught.value.where == option
    assert "choose one of: Ascend" in str(caught.value.fix) or option == "--cann"


def test_a_board_is_known_by_its_own_name_too() -> None:
    assert check_onnx(model([node("Relu")]), soc="Atlas 200 DK").soc == "Ascend310"


def test_the_constant_needs_no_plugin() -> None:
    assert check_onnx(model([node("Relu")])).passed
    assert "Constant" not in {name for name, entry in TABLE.operators.items() if entry.kernels}


def test_standard_operators_of_opset_11_are_spelt_as_onnx_spells_them() -> None:
    standard = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    high = {
        name
        for name, entry in TABLE.operators.items()
        if entry.supported and entry.confidence == "high"
    }
    vendor = high - standard
    assert vendor <= {
        "AdaptiveAvgPool2d", "AffineGrid", "BatchMultiClassNMS", "DeformableConv2D", "EmbeddingBag",
        "RoiExtractor",
    }, vendor  # fmt: skip
