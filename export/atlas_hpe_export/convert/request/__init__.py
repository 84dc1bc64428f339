"""What is asked: options as typed and as values, atc's command line, and the rules it must keep."""

from __future__ import annotations

from atlas_hpe_export.convert.request.command import AtcCommand, build_command
from atlas_hpe_export.convert.request.options import PRECISIONS, AippRequest, ConvertOptions
from atlas_hpe_export.convert.request.parse import parse_options

__all__ = [
    "PRECISIONS",
    "AippRequest",
    "AtcCommand",
    "ConvertOptions",
    "build_command",
    "parse_options",
]
