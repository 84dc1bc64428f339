"""From a model card to AIPP: which picture is fed, and what the unit does with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

import numpy as np

from atlas_hpe.aipp.registers import normalise, split_channel
from atlas_hpe.aipp.settings import AippSpec, CscMatrix, find_matrix
from atlas_hpe.card import INPUT_FORMS, AippInput, ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.errors import CardError, UsageError

__all__ = [
    "aipp_input_shape",
    "aipp_spec",
    "card_with_aipp",
    "check_aipp_card",
    "check_pictures",
    "choose_aipp_input",
    "normalisation_error",
]

_RGB_TO_GRAY = CscMatrix(((76, 150, 30), (0, 0, 0), (0, 0, 0)))
#: Our form -> the hardware's format, a key of ``AIPP_FORMATS``, and whether two channels of the
#: form lie the other way round there.
_FORMATS = {
    "nv12": ("nv12", False),
    "nv21": ("nv12", True),
    "rgb": ("rgb", False),
    "bgr": ("rgb", True),
    "xrgb": ("xrgb", False),
    "gray": ("gray", False),
}
_YUV = ("nv12", "nv21")
_RANGES = {"narrow": "narrow", "full": "wide"}


def choose_aipp_input(
    preprocess: PreprocessSpec,
    form: str,
    *,
    matrix: str = "bt601",
    colour_range: str = "narrow",
    source_size_px: Optional[Tuple[int, int]] = None,
    crop: Optional[Tuple[int, int, int, int]] = None,
    padding: Tuple[int, int, int, int] = (0, 0, 0, 0),
) -> AippInput:
    """The picture to feed, checked against the network and the rules of AIPP.

    Args:
        preprocess: The network's input.
        form: One of ``INPUT_FORMS``.
        matrix: Colours of nv12 and nv21: ``"bt601"`` or ``"bt709"``; other forms do not use it.
        colour_range: ``"narrow"`` (16..235, video as a rule) or ``"full"`` (0..255, JPEG files).
        source_size_px: Width and height of the picture; None for what the network takes, less the
            padding. It has to be given with a crop.
        crop: Left, top, width and height of what AIPP cuts out of the picture; None for all of it.
        padding: Pixels that AIPP adds left, right, top and bottom, 0..32 each.

    Raises:
        UsageError: What the network can't be fed with, or AIPP can't do.
    """
    if crop is not None and source_size_px is None:
        raise UsageError(
            "a crop needs the size of the picture that it is cut from",
            where=f"input {form}",
            fix="give the width and height of the picture too",
        )
    left, right, top, bottom = padding
    needed = (preprocess.width_px - left - right, preprocess.height_px - top - bottom)
    width_px, height_px = source_size_px or needed
    chosen = AippInput(
        form=form,
        width_px=width_px,
        height_px=height_px,
        matrix=_matrix_name(matrix, colour_range) if form in _YUV else None,
        crop=crop,
        padding=padding,
    )
    aipp_spec(preprocess, chosen)
    return chosen


def _matrix_name(matrix: str, colour_range: str) -> str:
    if colour_range not in _RANGES:
        raise UsageError(
            f"there is no colour range '{colour_range}'",
            fix="choose one of: " + ", ".join(_RANGES),
        )
    if matrix not in ("bt601", "bt709"):
        raise UsageError(f"there is no colour matrix '{matrix}'", fix="choose one of: bt601, bt709")
    return f"{matrix}-{_RANGES[colour_range]}"


def aipp_spec(preprocess: PreprocessSpec, aipp_input: AippInput) -> AippSpec:
    """The settings that make a network's input of a picture.

    ``split_channel`` finds the registers of mean and std. Where the graph normalises by itself,
    AIPP must not do it again and passes 0..255 on (ascend.md section 4.6).

    Args:
        preprocess: Size, colour order, mean and std of the network's input.
        aipp_input: The picture that is fed.

    Raises:
        UsageError: The picture does not fit the network, or breaks a rule of AIPP.
    """
    form = aipp_input.form
    if form not in INPUT_FORMS:
        raise UsageError(
            f"there is no input form '{form}'", fix="choose one of: " + ", ".join(INPUT_FORMS)
        )
    _check_fit(preprocess, aipp_input)
    input_format, swapped = _FORMATS[form]
    if input_format in ("rgb", "xrgb"):
        swapped ^= preprocess.colour == "bgr"
    mean, minimum, var_reci = _registers(preprocess)
    return AippSpec(
        input_format=input_format,
        src_width_px=aipp_input.width_px,
        src_height_px=aipp_input.height_px,
        mean=mean,
        minimum=minimum,
        var_reci=var_reci,
        csc=_choose_csc(preprocess.colour, aipp_input),
        rbuv_swap=swapped,
        ax_swap=input_format == "xrgb",
        crop=aipp_input.crop,
        padding=aipp_input.padding,
    )


def _check_fit(preprocess: PreprocessSpec, aipp_input: AippInput) -> None:
    """Colours, element type and size have to be what the network takes."""
    why = fix = None
    _, _, width, height = aipp_input.crop or (0, 0, aipp_input.width_px, aipp_input.height_px)
    left, right, top, bottom = aipp_input.padding
    made = (left + width + right, top + height + bottom)
    if aipp_input.form == "gray" and preprocess.colour != "gray":
        why = "a grey picture has one channel, the network takes three"
        fix = "choose another form"
    elif not preprocess.dtype.startswith("float") and preprocess.where != "graph":
        why = f"the network takes {preprocess.dtype}, and AIPP normalises to fp16 only"
    elif made != (preprocess.width_px, preprocess.height_px):
        steps = "crop and padding" if aipp_input.crop or any(aipp_input.padding) else "AIPP"
        why = (
            f"after {steps} the picture has {made[0]}x{made[1]} px, the network takes "
            f"{preprocess.width_px}x{preprocess.height_px}"
        )
        fix = "AIPP does not resize: choose a crop and a padding that end at the network's size"
    if why is not None:
        raise UsageError(
            "the picture that is fed does not fit the network",
            where=f"input {aipp_input.form}, {aipp_input.width_px}x{aipp_input.height_px} px",
            why=why,
            fix=fix,
        )


def _choose_csc(colour: str, aipp_input: AippInput) -> Optional[CscMatrix]:
    if aipp_input.form in _YUV:
        yuv_to_rgb = find_matrix(aipp_input.matrix or "")
        first, second, third = yuv_to_rgb.rows
        if colour == "bgr":
            return CscMatrix((third, second, first), yuv_to_rgb.input_bias)
        if colour == "gray":
            # The luma's own column: 256 for the wide range, as documented, 298 for the narrow one.
            rows = ((first[0], 0, 0), (0, 0, 0), (0, 0, 0))
            return CscMatrix(rows, yuv_to_rgb.input_bias)
        return yuv_to_rgb
    return _RGB_TO_GRAY if colour == "gray" and aipp_input.form != "gray" else None


def _registers(
    preprocess: PreprocessSpec,
) -> Tuple[Tuple[int, ...], Tuple[float, ...], Tuple[float, ...]]:
    """mean_chn, min_chn and var_reci_chn of all channels."""
    if preprocess.where == "graph":
        channels = len(preprocess.mean)
        return (0,) * channels, (0.0,) * channels, (1.0,) * channels
    means, minima, factors = zip(*map(split_channel, preprocess.mean, preprocess.std))
    return means, minima, factors


def aipp_input_shape(aipp_input: AippInput) -> Tuple[int, ...]:
    """Shape of the model's uint8 input for one picture: (1, rows, width, channels).

    nv12 and nv21 are h * 3 / 2 rows of one channel (ascend.md section 4.6).
    """
    width, height = aipp_input.width_px, aipp_input.height_px
    if aipp_input.form in _YUV:
        return 1, height * 3 // 2, width, 1
    return 1, height, width, {"xrgb": 4, "gray": 1}.get(aipp_input.form, 3)


def card_with_aipp(card: ModelCard, aipp_input: AippInput) -> ModelCard:
    """The card of a compiled model from the card of its graph.

    Args:
        card: Its first input is the picture, which AIPP will prepare.
        aipp_input: The picture that is fed from now on.

    Raises:
        UsageError: The picture does not fit the network, or the network takes depth.
    """
    check_pictures(card)
    aipp_spec(card.preprocess, aipp_input)
    where = "graph" if card.preprocess.where == "graph" else "aipp"
    first, *others = card.graphs[0].inputs
    shape = (first.shape[0], *aipp_input_shape(aipp_input)[1:])
    inputs = (TensorSpec(first.name, shape, "uint8", "NHWC"), *others)
    return replace(
        card,
        graphs=(replace(card.graphs[0], inputs=inputs), *card.graphs[1:]),
        preprocess=replace(card.preprocess, where=where, aipp=aipp_input),
    )


def check_pictures(card: ModelCard) -> None:
    """Make sure that a model takes pictures.

    Raises:
        UsageError: It takes depth.
    """
    if card.task == "depth-hand-3d":
        raise UsageError("the model takes depth, not pictures: AIPP has no part", where=card.name)


def check_aipp_card(card: ModelCard) -> None:
    """Make sure that the picture that a card feeds becomes what its network takes.

    Raises:
        CardError: The card has AIPP that is not possible.
    """
    aipp_input = card.preprocess.aipp
    if aipp_input is None:
        return
    try:
        aipp_spec(card.preprocess, aipp_input)
    except UsageError as error:
        raise CardError(
            "the card's AIPP is not possible",
            where=f"{card.name}, card.preprocess.aipp",
            why=error.why or error.what,
            fix="convert the model again",
        ) from error


def normalisation_error(preprocess: PreprocessSpec) -> Tuple[float, ...]:
    """How far AIPP's normalisation departs from ``(pixel - mean) / std``.

    Returns:
        Per channel, the largest difference over the 256 values of a pixel, in normalised terms.

    Raises:
        UsageError: A mean or std that the registers do not hold.
    """
    pixels = np.arange(256)[:, None]
    mean, std = np.array(preprocess.mean), np.array(preprocess.std)
    ideal = pixels if preprocess.where == "graph" else (pixels - mean) / std
    values = normalise(pixels, *map(np.array, _registers(preprocess)))
    difference = np.abs(values.astype(np.float64) - ideal)
    return tuple(float(value) for value in difference.max(axis=0))
