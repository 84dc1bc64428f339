"""The catalogue of chips, releases and flags."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atlas_hpe.targets
from atlas_hpe.aipp import AIPP_FORMATS
from atlas_hpe.cann import parse_cann
from atlas_hpe.errors import UsageError
from atlas_hpe.targets import (
    DEFAULT_SOC,
    FLAGS,
    RELEASES,
    SOCS,
    drivers_for,
    find_release,
    find_soc,
    find_target,
    has_flag,
    python_fits,
    python_for,
)

TABLES = json.loads(
    Path(atlas_hpe.targets.__file__).with_name("catalogue.json").read_text(encoding="utf-8")
)
NAMES = [(name, soc.name) for soc in SOCS.values() for name in (soc.name, *soc.aliases)]
PRODUCTS = sorted({product for soc in SOCS.values() for product in soc.products})


def plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


@pytest.mark.parametrize("table", ["socs", "releases", "python", "drivers"])
def test_every_entry_says_where_it_is_from(table: str) -> None:
    for row in TABLES[table]:
        assert re.match(r"ascend\.md sections? \d", row["source"]), row


def test_the_list_of_flags_says_where_it_is_from() -> None:
    assert "ascend.md section 3.1" in TABLES["about"]["flags"]


def test_no_name_stands_for_two_things() -> None:
    names = [plain(name) for name, _ in NAMES]
    assert len(set(names)) == len(names)
    assert not set(names) & {plain(product) for product in PRODUCTS}
    for table, key in (("socs", "name"), ("flags", "name"), ("releases", "version")):
        rows = [row[key] for row in TABLES[table]]
        assert len(set(rows)) == len(rows)
    assert DEFAULT_SOC in SOCS


@given(
    st.sampled_from(NAMES), st.sampled_from([str.upper, str.lower, str.title]), st.integers(0, 99)
)
def test_every_alias_finds_its_chip_however_it_is_written(
    pair: Tuple[str, str], case: type[str], place: int
) -> None:
    name, expected = pair
    cut = place % (len(name) + 1)
    for gap in ("", " ", "-", "_"):
        assert find_soc(case(name[:cut] + gap + name[cut:])).name == expected  # type: ignore[call-overload]


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_finds_its_chip_or_names_all_that_it_may_have(product: str) -> None:
    chips = [soc.name for soc in SOCS.values() if product in soc.products]
    if len(chips) == 1:
        assert find_soc(product).name == chips[0]
        return
    with pytest.raises(UsageError, match="several chips") as caught:
        find_soc(product)
    assert str(caught.value.fix).endswith("give one of: " + ", ".join(chips))


def test_a_family_is_not_a_chip() -> None:
    with pytest.raises(UsageError, match="'ascend310p' stands for several chips") as caught:
        find_soc("ascend310p", option="--target")
    assert "Ascend310P1, Ascend310P2" in str(caught.value.fix)
    assert "typically Ascend310P3" in str(caught.value.why)
    assert caught.value.where == "--target"


def test_what_differs_between_the_chips_of_a_family_is_not_said_of_all() -> None:
    with pytest.raises(UsageError) as caught:
        find_soc("310B-")
    assert caught.value.why is None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Ascend301", "Ascend310"),
        ("Asend310P3", "Ascend310P3"),
        ("Atlas200DKA2", "Atlas 200I DK A2"),
        ("Atlas 200DX", "Atlas 200 DK"),
    ],
)
def test_an_unknown_chip_names_the_near_ones(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"no chip is known as '{name}'") as caught:
        find_soc(name)
    near_ones = str(caught.value.fix).split(": ")[1].split(", ")
    assert near in near_ones
    assert len(near_ones) <= 5
    assert caught.value.where == "--soc"


@pytest.mark.parametrize("name", ["", "   ", "tpu", "x" * 100_000])
def test_without_a_near_one_all_are_named(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_soc(name)
    assert str(caught.value.fix).endswith(": " + ", ".join(SOCS))
    assert len(str(caught.value)) < 1000


def test_the_board_is_as_its_documents_say() -> None:
    soc = find_soc("Atlas 200 DK")
    assert (soc.name, soc.ai_cores, soc.memory_mb) == ("Ascend310", 2, 8192)
    assert (soc.fp16_tflops, soc.int8_tops) == (11.0, 22.0)
    assert soc.aipp_formats is not None
    assert set(AIPP_FORMATS.values()) <= set(soc.aipp_formats)
    small = find_soc("Atlas 200I DK A2")
    assert (small.name, small.ai_cores, small.memory_mb, small.int8_tops) == (
        "Ascend310B4",
        1,
        4096,
        8.0,
    )


def test_what_no_source_says_is_left_open() -> None:
    for soc in SOCS.values():
        if soc.generation in ("Ascend 310P", "Ascend 910"):
            figures = (soc.ai_cores, soc.memory_mb, soc.fp16_tflops, soc.int8_tops)
            assert figures == (None,) * 4
        if soc.name != "Ascend310":
            assert (soc.opset, soc.ir_version, soc.aipp_formats) == (None,) * 3


def test_export_writes_for_a_chip_whose_opset_is_stated() -> None:
    target = find_target("Atlas 200 DK")
    assert (target.name, target.opset, target.ir_version) == ("Ascend310", 11, 6)
    with pytest.raises(UsageError, match="what to write for Ascend310P3") as caught:
        find_target("Ascend310P3")
    assert (caught.value.where, caught.value.fix) == ("--target", "choose one of: Ascend310")
    with pytest.raises(UsageError) as caught:
        find_target("Ascend311")
    assert caught.value.where == "--target"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("5.0.4.alpha002", "5.0.4"),
        ("5.0.4.6", "5.0.4"),
        ("5.0.4", "5.0.4"),
        ("5.1.RC2.alpha008", "5.1.RC2"),
        ("5.1.rc1.1", "5.1.RC1"),
        ("6.0.0.alpha003", "6.0.0"),
        ("6.0", "6.0.0"),
        ("20.2", "3.2.0"),
        ("20.0.0", "20.0.0"),
        ("2026", "2026"),
        ("6.0.2", None),
        ("5.0", None),
        ("5.1.0", None),
        ("9.9", None),
        ("newest", None),
        ("", None),
    ],
)
def test_a_build_belongs_to_its_release(version: str, expected: Optional[str]) -> None:
    release = find_release(version)
    assert (None if release is None else release.version) == expected


def test_releases_are_in_order_and_know_their_chips() -> None:
    versions = [parse_cann(version) for version in RELEASES if version != "2026"]
    assert None not in versions
    assert versions == sorted(version for version in versions if version is not None)
    for release in RELEASES.values():
        assert set(release.socs) <= set(SOCS)
        assert (release.opsets is None) == (release.opsets_source is None)


def test_opsets_are_as_the_sources_say() -> None:
    stated = {name: one.opsets for name, one in RELEASES.items() if one.opsets is not None}
    assert stated == {
        "3.2.0": (11, 11),
        "3.3.0": (11, 11),
        "5.0.1": (11, 11),
        "5.0.4": (9, 13),
        "5.1.RC2": (8, 15),
        "6.0.RC1": (8, 15),
        "6.0.1": (11, 11),
        "7.0.0": (9, 18),
        "8.0.RC1": (11, 15),
        "8.0.RC2": (11, 15),
        "2026": (11, 18),
    }
    assert all(first <= SOCS["Ascend310"].opset <= last for first, last in stated.values())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("cann", "drivers"),
    [
        ("6.0.0.alpha003", ("1.0.13.alpha",)),
        ("5.1.RC1.alpha005", ("1.0.13.alpha",)),
        ("5.1.RC1.alpha001", ("1.0.12.alpha",)),
        ("5.1.RC1", ("1.0.13.alpha", "1.0.12.alpha")),
        ("5.0.2.alpha004", ("1.0.11.alpha", "1.0.10.alpha", "1.0.9.alpha")),
        ("20.1", ("1.0.8.alpha",)),
        ("20.0.0", ("1.0.7.alpha",)),
        ("7.0.0", ()),
        ("?", ()),
    ],
)
def test_the_driver_of_a_build(cann: str, drivers: Tuple[str, ...]) -> None:
    assert drivers_for(cann) == drivers
    release = find_release(cann)
    assert release is None or set(drivers) <= set(release.drivers)


@pytest.mark.parametrize(
    ("cann", "fitting", "refused", "open_question"),
    [
        ("20.0.0", ["3.7.5"], [], ["3.7.16", "3.8.0", "2.7.18"]),
        ("5.0.4.alpha002", ["3.7.5"], [], ["3.7.4", "3.9.2"]),
        ("5.1.RC1.alpha001", ["3.7.0", "3.7.11", "3.9.7"], ["3.7.12", "3.8.12", "3.9.8"], []),
        ("6.0.1", ["3.8.0", "3.8.11"], ["3.10.0", "3.6.9", "3.8.18"], []),
        ("7.0.1", ["3.7.5"], ["3.11.0"], []),
        ("8.0.RC1", [], [], ["3.7.5", "3.11.4"]),
        ("8.0.RC2.alpha001", ["3.7.16", "3.10.99"], ["3.11.0", "3.6.15"], []),
        ("8.0.RC3", [], [], ["3.7.5"]),
        ("8.0.0.alpha001", ["3.11.4", "3.7.0"], ["3.11.5", "3.12.0"], []),
        ("8.3.RC1", ["3.10.13"], ["3.13.0"], []),
        ("8.4.0", [], [], ["3.9.0"]),
        ("8.5.0", ["3.13.9"], ["3.14.0"], []),
        ("9.0.0", ["3.7.0"], ["3.6.9"], []),
        ("?", [], [], ["3.9.0"]),
    ],
)
def test_python_versions_of_a_release(
    cann: str, fitting: list[str], refused: list[str], open_question: list[str]
) -> None:
    assert {python_fits(python, cann) for python in fitting} <= {True}
    assert {python_fits(python, cann) for python in refused} <= {False}
    assert {python_fits(python, cann) for python in open_question} <= {None}
    assert bool(python_for(cann)) == bool(fitting)
    release = find_release(cann)
    assert release is None or release.python == python_for(cann)


def test_a_python_with_a_suffix_is_read() -> None:
    assert python_fits("3.7.5+", "6.0.1") is True
    assert python_fits("3.13.0rc1", "6.0.1") is False
    assert python_fits("three", "6.0.1") is None


@pytest.mark.parametrize("cann", RELEASES)
def test_the_versions_that_are_told_fit(cann: str) -> None:
    for first, last in python_for(cann):
        for python in (first, last):
            assert python_fits(python + ".0" * (2 - python.count(".")), cann) is True


@pytest.mark.parametrize(
    ("name", "cann", "expected"),
    [
        ("keep_dtype", "5.0.4", True),
        ("keep_dtype", "6.0.1", True),
        ("keep_dtype", "9.0.0", True),
        ("keep_dtype", "3.3.0", None),
        ("precision_mode_v2", "5.1.RC2.alpha001", False),
        ("precision_mode_v2", "7.0.0", None),
        ("display_model_info", "5.0.4", False),
        ("external_weight", "5.0.4", False),
        ("auto_tune_mode", "5.1.RC1", True),
        ("auto_tune_mode", "6.0.1", None),
        ("no_such_flag", "5.0.4", None),
        ("keep_dtype", "?", None),
    ],
)
def test_which_release_has_a_flag(name: str, cann: str, expected: Optional[bool]) -> None:
    assert has_flag(name, cann) is expected


@pytest.mark.parametrize(
    ("name", "value", "cann", "expected"),
    [
        ("precision_mode", "force_fp32", "5.0.4", True),
        ("precision_mode", "force_fp32", "7.0.0", True),
        ("precision_mode", "cube_fp16in_fp32out", "5.0.4", False),
        ("precision_mode", "cube_fp16in_fp32out", "7.0.0", None),
        ("precision_mode", "half", "5.0.4", False),
        ("precision_mode", "half", "7.0.0", None),
        ("precision_mode_v2", "fp16", "5.0.4", False),
        ("auto_tune_mode", "RL,GA", "5.0.4", True),
        ("auto_tune_mode", "RL,GA", "6.0.1", None),
        ("output_type", "FP16", "5.0.4", None),
    ],
)
def test_which_release_takes_a_value(
    name: str, value: str, cann: str, expected: Optional[bool]
) -> None:
    assert has_flag(name, cann, value=value) is expected


def test_flags_are_well_formed() -> None:
    for flag in FLAGS.values():
        assert re.fullmatch(r"[a-z0-9_]+", flag.name)
        assert (flag.since, flag.until) in [("5.x", None), ("newer", None), ("5.x", "5.x")]
        values = flag.values or ()
        assert not set(values) & set(flag.newer_values)
        if values and flag.default is not None:
            assert flag.default in values
