"""ONNX -> .om: drives atc of the CANN toolkit, and needs neither torch nor onnx."""

from __future__ import annotations

from atlas_hpe_export.convert.command import AtcCommand, build_command
from atlas_hpe_export.convert.convert import compile_om, newest_model
from atlas_hpe_export.convert.options import PRECISIONS, AippRequest, ConvertOptions
from atlas_hpe_export.convert.parse import parse_options
from atlas_hpe_export.convert.report import ConvertReport, convert_to_dict, describe_convert

__all__ = [
    "PRECISIONS",
    "AippRequest",
    "AtcCommand",
    "ConvertOptions",
    "ConvertReport",
    "build_command",
    "compile_om",
    "convert_to_dict",
    "describe_convert",
    "newest_model",
    "parse_options",
]
