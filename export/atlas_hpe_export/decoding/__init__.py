"""Decoding inside the graph: numbers instead of heatmaps leave the device (``--decode-in-graph``).

Heatmaps of 21 x 128 x 128 are 1.4 MB a frame, their joints are 168 bytes. To add a kind: write
``decoding/<kind>.py`` with a function that keeps ``GraphDecoder`` and add its line to
``GRAPH_DECODERS``. What it computes must be what the host's decoder of that kind computes.
"""

from __future__ import annotations

from typing import Dict

from atlas_hpe_export.decoding.append import GraphDecoder, append_decoding
from atlas_hpe_export.decoding.heatmap_1d import decode_heatmap_1d
from atlas_hpe_export.decoding.heatmap_2d import decode_heatmap_2d

__all__ = ["GRAPH_DECODERS", "GraphDecoder", "append_decoding"]

#: ``DecodeSpec.kind`` -> the nodes that do the same.
GRAPH_DECODERS: Dict[str, GraphDecoder] = {
    "heatmap-1d": decode_heatmap_1d,
    "heatmap-2d": decode_heatmap_2d,
}
