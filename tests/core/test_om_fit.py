"""Which .om goes with which chip and release."""

from __future__ import annotations

from typing import Optional

import pytest

from atlas_hpe.om_file import OmHeader, OmModel, OmSummary
from atlas_hpe.om_file.fit import find_misfit


def summary(soc: Optional[str] = "Ascend310", cann: Optional[str] = "5.0.4.alpha002") -> OmSummary:
    header = OmHeader(
        name="hand",
        version=0x20000000,
        length_bytes=1,
        table="32-bit",
        model_type="ir",
        online=False,
        encrypted=False,
        has_checksum=False,
        dynamic_shape=False,
        model_num=1,
        platform_version="",
        ir_version=0,
        file_bytes=257,
    )
    return OmSummary(header, (OmModel("hand", (), soc=soc, cann_version=cann),))


@pytest.mark.parametrize(
    ("made_for", "device"),
    [
        ("Ascend310", "Ascend310"),
        ("Ascend310", "310"),
        ("Ascend310B4", "ascend310b4"),
        ("Ascend310P3", "Ascend310P3"),
        ("Ascend999", "Ascend999"),
        (None, "Ascend310"),
    ],
)
def test_a_file_for_the_same_chip_fits(made_for: Optional[str], device: str) -> None:
    assert find_misfit(summary(made_for), soc=device) is None


@pytest.mark.parametrize(
    ("made_for", "device"),
    [
        ("Ascend310B4", "Ascend310"),
        ("Ascend310", "Ascend310B4"),
        ("Ascend310P3", "Ascend310"),
        ("Ascend310", "Ascend999"),
        ("Ascend998", "Ascend999"),
    ],
)
def test_a_file_for_another_chip_does_not(made_for: str, device: str) -> None:
    misfit = find_misfit(summary(made_for), soc=device)
    assert misfit is not None
    assert misfit.what == f"the model is made for {made_for}, this device is {device}"
    assert misfit.fatal
    assert misfit.fix.endswith(f"--soc {device}")


def test_chips_of_one_family_are_in_doubt() -> None:
    misfit = find_misfit(summary("Ascend310B1"), soc="Ascend310B4")
    assert misfit is not None
    assert not misfit.fatal
    assert "no source says" in misfit.why


@pytest.mark.parametrize(
    ("built", "here"),
    [
        ("5.0.4.alpha002", "5.0.4.alpha002"),
        ("5.0.4.alpha005", "5.0.4.alpha002"),
        ("5.0.4", "5.1.RC1.alpha001"),
        ("6.0.RC1", "6.0.0.alpha003"),
        ("5.0.4", "6.0.RC1"),  # 5.0.5, 5.1.RC1, 5.1.RC2, 6.0.RC1: the fourth after it
        (None, "5.0.4"),
        ("somewhere", "5.0.4"),
        ("5.0.4", "unknown"),
    ],
)
def test_a_file_of_the_same_or_a_nearby_older_release_fits(built: Optional[str], here: str) -> None:
    assert find_misfit(summary(cann=built), cann=here) is None


@pytest.mark.parametrize(
    ("built", "here"),
    [("5.1.RC1", "5.0.4.alpha002"), ("6.0.0", "6.0.RC1.alpha005"), ("7.0.0", "6.0.1")],
)
def test_a_file_of_a_newer_release_does_not(built: str, here: str) -> None:
    misfit = find_misfit(summary(cann=built), cann=here)
    assert misfit is not None
    assert misfit.fatal
    assert built in misfit.what
    assert f"older CANN {here}" in misfit.what


def test_a_file_from_long_ago_is_in_doubt() -> None:
    misfit = find_misfit(summary(cann="5.0.1"), cann="8.0.0")
    assert misfit is not None
    assert not misfit.fatal
    assert "4 releases" in misfit.why
    misfit = find_misfit(summary(cann="5.0.4"), cann="6.0.0")
    assert misfit is not None
    assert "5 releases before the 6.0.0" in misfit.what


def test_the_chip_comes_before_the_release() -> None:
    misfit = find_misfit(summary("Ascend310B4", "7.0.0"), soc="Ascend310", cann="5.0.4")
    assert misfit is not None
    assert "made for" in misfit.what


def test_nothing_is_held_against_a_machine_that_tells_nothing() -> None:
    assert find_misfit(summary()) is None


def test_every_model_of_the_file_counts() -> None:
    both = OmSummary(summary().header, summary().models + summary("Ascend310P3").models)
    assert find_misfit(both, soc="Ascend310") is not None
