"""The model card: the one thing that export, convert, runtime and pipelines agree on."""

from __future__ import annotations

from atlas_hpe.card.files import CARD_METADATA_KEY, card_path_of, find_card, load_card
from atlas_hpe.card.json_form import build_from_value, card_from_json, card_to_json
from atlas_hpe.card.spec import (
    CARD_VERSION,
    INPUT_FORMS,
    AippInput,
    BuildRecord,
    DecodeSpec,
    GraphSpec,
    ModelCard,
    PreprocessSpec,
    Provenance,
    TensorSpec,
)

__all__ = [
    "CARD_METADATA_KEY",
    "CARD_VERSION",
    "INPUT_FORMS",
    "AippInput",
    "BuildRecord",
    "DecodeSpec",
    "GraphSpec",
    "ModelCard",
    "PreprocessSpec",
    "Provenance",
    "TensorSpec",
    "build_from_value",
    "card_from_json",
    "card_path_of",
    "card_to_json",
    "find_card",
    "load_card",
]
