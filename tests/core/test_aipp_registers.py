"""Mean and std in the registers of AIPP: as close as they can be, with the error stated."""

from __future__ import annotations

import numpy as np
import pytest
from aipp_cases import IMAGENET, RAW, SYMMETRIC, UNIT, Style, picture, preprocess, settings_for
from hypothesis import example, given
from hypothesis import strategies as st

from atlas_hpe.aipp import aipp_buffer, apply_aipp, choose_aipp_input, normalisation_error
from atlas_hpe.aipp.registers import Register, normalise, split_channel
from atlas_hpe.errors import UsageError

PIXELS = np.arange(256)


def error_of(register: Register, mean: float, std: float) -> float:
    values = normalise(PIXELS, *(np.array(number) for number in register))
    return float(np.abs(values.astype(float) - (PIXELS - mean) / std).max())


def plain_split(mean: float, std: float) -> Register:
    """The integer part, and the nearest fp16 of the rest."""
    whole = min(255, int(mean))
    return whole, float(np.float16(mean - whole)), float(np.float16(1 / std))


@given(mean=st.floats(0, 510), std=st.floats(0.01, 10_000))
@example(mean=90.3, std=41.7)
def test_the_split_is_never_worse_than_plain_rounding(mean: float, std: float) -> None:
    found, plain = split_channel(mean, std), plain_split(mean, std)
    assert error_of(found, mean, std) <= error_of(plain, mean, std)
    assert 0 <= found[0] <= 255 and 0 <= found[1] <= 255 and found[2] > 0
    for number in found[1:]:
        assert float(np.float16(number)) == number


def test_the_split_can_be_better_than_plain_rounding() -> None:
    assert error_of(split_channel(90.3, 41.7), 90.3, 41.7) < 2.3e-3
    assert error_of(plain_split(90.3, 41.7), 90.3, 41.7) > 3.0e-3


def test_another_integer_than_the_whole_part_can_be_better() -> None:
    mean, std = 75.06275816858934, 60.390259744309
    found = split_channel(mean, std)
    assert found[0] == 74
    assert error_of(found, mean, std) < 1.5e-3 < 2.5e-3 < error_of((75, *found[1:]), mean, std)


def test_two_integers_below_and_two_fp16_numbers_off_can_be_better() -> None:
    mean, std = 195.683, 29.019
    found = split_channel(mean, std)
    assert found[:2] == (193, 2.6875) and float(np.float16(mean - 193)) == 2.68359375
    assert (
        error_of(found, mean, std) < 3.4e-3 < 4.9e-3 < error_of(plain_split(mean, std), mean, std)
    )


def test_numbers_that_the_registers_hold_are_not_moved() -> None:
    for mean, std in ((0.0, 1.0), (128.0, 128.0), (127.5, 0.5), (3.0, 64.0)):
        assert split_channel(mean, std) == plain_split(mean, std)


@pytest.mark.parametrize(
    ("style", "bound"), [(IMAGENET, 1.7e-3), (UNIT, 2.6e-4), (SYMMETRIC, 2.5e-4), (RAW, 0)]
)
def test_registers_are_close_to_the_ideal(style: Style, bound: float) -> None:
    errors = normalisation_error(preprocess(style))
    assert len(errors) == 3
    assert max(errors) <= bound
    if bound:
        assert max(errors) > bound / 2, "the figure is not a measurement"


def test_the_integer_register_saves_what_fp16_would_lose() -> None:
    spec = settings_for(preprocess(IMAGENET))
    np.testing.assert_allclose(np.add(spec.mean, spec.minimum), IMAGENET[0], atol=1e-3)
    alone = [
        error_of((0, mean, factor), mean, std)
        for mean, std, factor in zip(*IMAGENET, spec.var_reci)
    ]
    assert max(normalisation_error(preprocess(IMAGENET))) < 0.8 * max(alone)


@given(mean=st.floats(0, 255), std=st.floats(1, 300), crop=st.integers(0, 1 << 30).map(picture))
def test_any_normalisation_is_good_to_three_digits(
    mean: float, std: float, crop: np.ndarray
) -> None:
    asked = preprocess(((mean,) * 3, (std,) * 3), (8, 6), "bgr")
    result = apply_aipp(
        aipp_buffer(crop, choose_aipp_input(asked, "rgb")), settings_for(asked, "rgb")
    )[0].transpose(1, 2, 0)
    ideal = (crop - mean) / std
    errors = np.abs(result - ideal).max()
    assert errors <= normalisation_error(asked)[0] + 1e-12
    # Each of three roundings is within 2^-11 of what it rounds; 2^-13 is that of min_chn.
    largest = max(mean, 255 - mean) / std
    assert errors <= largest * 3 * 2**-11 + 2**-12 / std + 2**-24


def test_a_graph_that_normalises_is_not_normalised_for_again() -> None:
    asked = preprocess(IMAGENET, where="graph")
    spec = settings_for(asked)
    assert (spec.mean, spec.minimum, spec.var_reci) == ((0,) * 3, (0.0,) * 3, (1.0,) * 3)
    assert normalisation_error(asked) == (0.0, 0.0, 0.0)


def test_a_mean_beyond_the_integer_register_goes_into_the_other() -> None:
    spec = settings_for(preprocess(((255.0, 300.0, 0.5), (1.0,) * 3)))
    assert (spec.mean, spec.minimum) == ((255, 255, 0), (0.0, 45.0, 0.5))


def test_a_mean_too_small_for_fp16_is_no_mean() -> None:
    assert split_channel(1e-12, 1.0) == (0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("mean", "std"),
    [(0.0, 1e-9), (0.0, 1e9), (511.0, 1.0), (-0.5, 1.0), (-1e300, 1.0), (0.0, 1e-320)],
)
def test_numbers_that_the_registers_do_not_hold_are_refused(mean: float, std: float) -> None:
    with pytest.raises(UsageError, match="registers") as caught:
        settings_for(preprocess(((mean,) * 3, (std,) * 3)))
    assert caught.value.where == f"mean {mean:g}, std {std:g}"


def test_a_std_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="registers"):
        split_channel(0.0, 0.0)
