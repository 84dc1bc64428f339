"""Where cards live: in the metadata of an .onnx, beside an .om, or in a .json of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from atlas_hpe import onnx_file  # it imports card.spec, so its names are looked up at use
from atlas_hpe.card.json_form import card_from_json
from atlas_hpe.card.spec import ModelCard
from atlas_hpe.errors import CardError
from atlas_hpe.files import check_readable, read_bytes, sha256_of

__all__ = ["CARD_METADATA_KEY", "card_path_of", "find_card", "load_card"]

#: Key in the ONNX metadata that holds the card's JSON.
CARD_METADATA_KEY = "atlas_hpe.card"


def card_path_of(model_path: Union[str, Path]) -> Path:
    """The card's path beside a model: ``hand.om`` -> ``hand.om.json``."""
    path = Path(model_path)
    return path.with_name(path.name + ".json")


def load_card(path: Union[str, Path]) -> ModelCard:
    """Read the card of a model.

    Args:
        path: An .onnx with an embedded card, a model with ``<name>.json`` beside it, or the .json.

    Raises:
        CardError: There is no card, it does not follow its schema, or it is that of another .om.
        InputError: The file can't be read.
        ModelFileError: The .onnx is damaged or unsafe.
    """
    card = find_card(path)
    if card is None:
        beside = card_path_of(path).name
        exported = Path(path).suffix.lower() == ".onnx"
        raise CardError(
            "the model has no card",
            where=path,
            why=f"no card inside the file and no {beside} beside it",
            fix="export it with: atlas-hpe export CHECKPOINT --out MODEL.onnx"
            if exported
            else f"keep {beside}, which atlas-hpe convert wrote, beside the model; convert the "
            ".onnx again where it is lost",
        )
    _check_pair(Path(path), card)
    return card


def _check_pair(path: Path, card: ModelCard) -> None:
    """The card of another compilation may tell of other pictures, in the same shape."""
    build = card.provenance.build
    if build is None or path.suffix.lower() != ".om" or sha256_of(path) == build.om_sha256:
        return
    raise CardError(
        "the card belongs to another file",
        where=card_path_of(path),
        why=f"the hash in its build record is not that of {path.name}",
        fix="copy the model and its .json together, from where they were compiled",
    )


def find_card(path: Union[str, Path]) -> Optional[ModelCard]:
    """The card of a model as ``load_card`` reads it, None when there is none."""
    path = Path(path)
    if path.suffix.lower() == ".onnx":
        text = onnx_file.read_onnx_summary(path).metadata.get(CARD_METADATA_KEY)
        if text is not None:
            return card_from_json(text, str(path))
    card_path = path if path.suffix.lower() == ".json" else card_path_of(path)
    if not card_path.exists():
        check_readable(path)  # a model that is not there is the better thing to say
        return None
    try:
        text = read_bytes(card_path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CardError("the model card is not UTF-8", where=card_path, why=str(error)) from error
    return card_from_json(text, str(card_path))
