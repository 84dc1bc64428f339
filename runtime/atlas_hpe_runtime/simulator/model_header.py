"""The header of a simulated model: its settings as JSON, read back without trust."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Callable, Dict, Mapping, Tuple, TypeVar

from atlas_hpe.aipp import AippSettings, AippSpec, CscMatrix, DynamicAipp
from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

__all__ = ["header_to_json", "model_from_header"]

_MAX = 1e300  # of a number

T = TypeVar("T")
Members = Mapping[str, object]


def header_to_json(model: SimulatedModel, onnx_sha256: str) -> str:
    """The settings of a model and the hash of its graph as one line of JSON."""
    header = {
        "onnx_sha256": onnx_sha256,
        "soc": model.soc,
        "precision": model.precision,
        "input_format": model.input_format,
        "input_shapes": {name: list(shape) for name, shape in model.input_shapes.items()},
        "aipp": {name: asdict(aipp) for name, aipp in model.aipp.items()},
        "dynamic_batch": model.dynamic_batch,
        "dynamic_image_size": model.dynamic_image_size,
        "dynamic_dims": model.dynamic_dims,
        "fp16_inputs": model.fp16_inputs,
        "output_dtypes": dict(model.output_dtypes),
    }
    return json.dumps(header, sort_keys=True, allow_nan=False)


def model_from_header(header: object, onnx: bytes, onnx_sha256: str) -> SimulatedModel:
    """The model that a header and a graph make.

    Args:
        header: What was read from the JSON.
        onnx: The graph.
        onnx_sha256: Its hash, as it is.

    Raises:
        ValueError: The header has not the members that ``header_to_json`` writes, their values are
            not possible, or the hash differs.
    """
    members = _object(header, "header")
    expected = set(json.loads(header_to_json(SimulatedModel(b""), "")))
    if set(members) != expected:
        odd = sorted(set(members) ^ expected)
        raise ValueError(f"the header has not exactly the members it should: {odd[:3]}")
    if _text(members["onnx_sha256"], "onnx_sha256") != onnx_sha256:
        raise ValueError("the graph is not the one that was written: its SHA-256 differs")
    shapes = _mapping(members["input_shapes"], "input_shapes", _integers)
    try:
        return SimulatedModel(
            onnx=onnx,
            soc=_text(members["soc"], "soc"),
            precision=_text(members["precision"], "precision"),
            input_format=_text(members["input_format"], "input_format"),
            input_shapes=shapes,
            aipp=_mapping(members["aipp"], "aipp", _aipp),
            dynamic_batch=_integers(members["dynamic_batch"], "dynamic_batch"),
            dynamic_image_size=_list(members["dynamic_image_size"], "dynamic_image_size", _pair),
            dynamic_dims=_list(members["dynamic_dims"], "dynamic_dims", _integers),
            fp16_inputs=_list(members["fp16_inputs"], "fp16_inputs", _text),
            output_dtypes=_mapping(members["output_dtypes"], "output_dtypes", _text),
        )
    except UsageError as error:
        raise ValueError(error.why or error.what) from error


def _aipp(value: object, path: str) -> AippSettings:
    members = _object(value, path)
    if set(members) == {"max_image_bytes"}:
        return DynamicAipp(_integer(members["max_image_bytes"], path))
    if set(members) != set(AippSpec.__dataclass_fields__):
        raise ValueError(f"{path} has not the members of AIPP settings")
    crop = members["crop"]
    return AippSpec(
        input_format=_text(members["input_format"], path),
        src_width_px=_integer(members["src_width_px"], path),
        src_height_px=_integer(members["src_height_px"], path),
        mean=_integers(members["mean"], path),
        minimum=_list(members["minimum"], path, _number),
        var_reci=_list(members["var_reci"], path, _number),
        csc=None if members["csc"] is None else _csc(members["csc"], path + ".csc"),
        rbuv_swap=_switch(members["rbuv_swap"], path),
        ax_swap=_switch(members["ax_swap"], path),
        crop=None if crop is None else _four(crop, path),
        padding=_four(members["padding"], path),
        padding_value=_number(members["padding_value"], path),
    )


def _csc(value: object, path: str) -> CscMatrix:
    members = _object(value, path)
    if set(members) != set(CscMatrix.__dataclass_fields__):
        raise ValueError(f"{path} has not the members of a colour matrix")
    first, second, third = _list(members["rows"], path, _triple)
    biases = [_triple(members[key], path) for key in ("input_bias", "output_bias")]
    return CscMatrix((first, second, third), *biases)


def _object(value: object, path: str) -> Members:
    if not isinstance(value, dict):
        raise ValueError(f"{path} is not an object")  # noqa: TRY004 - the file is wrong, no type
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{path} holds no text where some is due")
    return value


def _switch(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{path} holds neither true nor false")  # noqa: TRY004 - as above
    return value


def _integer(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63:
        raise ValueError(f"{path} holds what is no whole number of 64 bits")
    return value


def _number(value: object, path: str) -> float:
    # Compared, not converted: an integer may be larger than any float. NaN fails too.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _MAX:
        raise ValueError(f"{path} holds what is no finite number")
    return float(value)


def _list(value: object, path: str, read: Callable[[object, str], T]) -> Tuple[T, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{path} is not a list")  # noqa: TRY004 - as above
    return tuple(read(item, path) for item in value)


def _mapping(value: object, path: str, read: Callable[[object, str], T]) -> Dict[str, T]:
    return {name: read(item, f"{path} of '{name}'") for name, item in _object(value, path).items()}


def _integers(value: object, path: str) -> Tuple[int, ...]:
    return _list(value, path, _integer)


def _pair(value: object, path: str) -> Tuple[int, int]:
    first, second = _integers(value, path)
    return first, second


def _triple(value: object, path: str) -> Tuple[int, int, int]:
    first, second, third = _integers(value, path)
    return first, second, third


def _four(value: object, path: str) -> Tuple[int, int, int, int]:
    first, second, third, fourth = _integers(value, path)
    return first, second, third, fourth
