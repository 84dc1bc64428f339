"""The options of a conversion as a user types them."""

from __future__ import annotations

import re
from typing import Mapping, Optional, Pattern, Sequence, Tuple

from atlas_hpe.errors import UsageError
from atlas_hpe_export.convert.request.options import AippRequest, ConvertOptions

__all__ = ["parse_options"]

_COUNT = re.compile(r"([1-9]\d{0,4})", re.ASCII)
_TWO_SIZES = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
_EDGES = re.compile(r"(\d{1,4}),(\d{1,4}),(\d{1,4}),(\d{1,4})", re.ASCII)
_SHAPE = re.compile(r"(?:(.+):)?((?:-1|[1-9]\d{0,8})(?:,(?:-1|[1-9]\d{0,8}))*)", re.ASCII)
_NODE = re.compile(r"\S|\S.*\S")  # one line of the file for atc
_PASS = re.compile(r'[^\s:"]+')
_PICTURE_OPTIONS = {
    "matrix": "--matrix",
    "colour_range": "--range",
    "source_size": "--source-size",
    "crop": "--crop",
    "padding": "--padding",
}


def parse_options(
    *,
    soc: str,
    precision: Optional[str] = None,
    batch: Optional[str] = None,
    image_size: Optional[str] = None,
    input_shapes: Sequence[str] = (),
    keep_dtype: Sequence[str] = (),
    fusion_off: Sequence[str] = (),
    tune: Optional[str] = None,
    atc_flags: Sequence[str] = (),
    form: Optional[str] = None,
    **picture: Optional[str],
) -> ConvertOptions:
    """Options with typed values; each argument is the option of that name, None if not given.

    Args:
        soc: --soc.
        precision: --precision.
        batch: --batch.
        image_size: --image-size.
        input_shapes: --input-shape, each time it is given.
        keep_dtype: --keep-dtype, likewise.
        fusion_off: --fusion-off, likewise.
        tune: --tune.
        atc_flags: What stands after --.
        form: --input.
        picture: matrix, colour_range, source_size, crop and padding.

    Raises:
        UsageError: Not of the form that the option has.
    """
    example = "256x192, height x width"
    return ConvertOptions(
        soc=soc,
        precision=precision,
        input_shapes=tuple(map(_read_shape, input_shapes)),
        batches=tuple(number for (number,) in _read_list("--batch", batch, _COUNT, "1 or 1,2,4")),
        image_sizes=tuple(
            (height, width)
            for height, width in _read_list("--image-size", image_size, _TWO_SIZES, example)
        ),
        keep_dtype=_read_names("--keep-dtype", keep_dtype, _NODE, "OpType::Softmax"),
        fusion_off=_read_names("--fusion-off", fusion_off, _PASS, "all"),
        tune=None if tune is None else tune.lower(),
        aipp=_read_picture(form, picture),
        extra=tuple(atc_flags),
    )


def _read_picture(
    form: Optional[str], options: Mapping[str, Optional[str]]
) -> Optional[AippRequest]:
    given = [_PICTURE_OPTIONS[name] for name in _PICTURE_OPTIONS if options.get(name) is not None]
    if form is None:
        if not given:
            return None
        raise UsageError(
            f"{given[0]} says how the device reads a picture, and no picture is asked for",
            where=given[0],
            fix="add --input, for example --input nv12",
        )
    matrix, colour_range = options.get("matrix"), options.get("colour_range")
    if form not in ("nv12", "nv21") and (matrix or colour_range):
        raise UsageError(
            f"{form} pictures have no colour matrix and no range to choose",
            where="--matrix, --range",
            fix="leave them out: they are for nv12 and nv21",
        )
    padding = _read_edges("--padding", options.get("padding"), "LEFT,RIGHT,TOP,BOTTOM")
    return AippRequest(
        form=form,
        matrix=matrix or AippRequest.matrix,
        colour_range=colour_range or AippRequest.colour_range,
        source_size_px=_read_size(options.get("source_size")),
        crop=_read_edges("--crop", options.get("crop"), "LEFT,TOP,WIDTH,HEIGHT"),
        padding=padding or AippRequest.padding,
    )


def _read_list(
    option: str, text: Optional[str], form: Pattern[str], example: str
) -> Tuple[Tuple[int, ...], ...]:
    """Different values of one form with commas between them."""
    if text is None:
        return ()
    found = []
    for part in text.split(","):
        match = form.fullmatch(part.strip())
        if match is None:
            raise _bad_form(option, text, example)
        found.append(tuple(map(int, match.groups())))
    if len(set(found)) != len(found):
        raise UsageError(
            "a size is given twice", where=f"{option} {text}", fix="give each size once"
        )
    return tuple(found)


def _read_names(
    option: str, names: Sequence[str], form: Pattern[str], example: str
) -> Tuple[str, ...]:
    for name in names:
        if form.fullmatch(name) is None:
            raise _bad_form(option, name, example)
    return tuple(names)


def _read_size(text: Optional[str]) -> Optional[Tuple[int, int]]:
    if text is None:
        return None
    match = _TWO_SIZES.fullmatch(text)
    if match is None:
        raise _bad_form("--source-size", text, "1280x720, width x height")
    return int(match.group(1)), int(match.group(2))


def _read_edges(option: str, text: Optional[str], form: str) -> Optional[Tuple[int, int, int, int]]:
    if text is None:
        return None
    match = _EDGES.fullmatch(text)
    if match is None:
        raise _bad_form(option, text, f"{form}, four numbers of pixels")
    first, second, third, fourth = map(int, match.groups())
    return first, second, third, fourth


def _read_shape(text: str) -> Tuple[str, Tuple[int, ...]]:
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise _bad_form("--input-shape", text, "1,3,256,256 or image:1,3,256,256")
    return match.group(1) or "", tuple(map(int, match.group(2).split(",")))


def _bad_form(option: str, text: str, example: str) -> UsageError:
    return UsageError(
        f"'{text}' is not of the form that {option} has", where=option, fix=f"for example {example}"
    )
