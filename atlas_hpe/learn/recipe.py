"""The recipe of a training run: everything that decides its weights, in a JSON file beside them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Set, Tuple

import torch

from atlas_hpe.errors import InputError, UsageError
from atlas_hpe.learn.plan import TrainingPlan, check_plan
from atlas_hpe.outfile import AtomicFile
from atlas_hpe.version import __version__

__all__ = [
    "FORMAT_VERSION",
    "RECIPE_NAME",
    "DataRecord",
    "Recipe",
    "check_same_data",
    "read_recipe",
    "record_data",
    "write_recipe",
]

RECIPE_NAME = "recipe.json"
FORMAT_VERSION = 1
_INDICES = ("crops.json", "frames.json", "negatives.json")


@dataclass(frozen=True)
class DataRecord:
    """Which data a run learned from.

    Attributes:
        sha256: index file -> hash; the pictures themselves are not hashed.
        sources: collections that were trained on, sorted.
        left_out: collections that were kept out, sorted.
        drawn: number of drawn hands.
    """

    sha256: Mapping[str, str]
    sources: Sequence[str]
    left_out: Sequence[str]
    drawn: int


@dataclass(frozen=True)
class Recipe:
    """What decides the weights of a run.

    Attributes:
        network: its name.
        plan: with `steps` as its end.
        data: what it learned from.
        started_from: hash of the weights it started from; empty when they were fresh.
    """

    network: str
    plan: TrainingPlan
    data: DataRecord
    started_from: str = ""


def record_data(folder: Path, *, left_out: Sequence[str], drawn: int) -> DataRecord:
    """Hash the indices in `folder` and list their sources.

    Raises:
        InputError: an index is missing or damaged.
        UsageError: a source to leave out is not there.
    """
    hashes: Dict[str, str] = {}
    sources: Set[str] = set()
    for name in _INDICES:
        path = folder / name
        try:
            content = path.read_bytes()
            sources.update(str(item["source"]) for item in json.loads(content)["items"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "an index of the training set can't be read",
                where=path,
                why=f"{type(error).__name__}: {error}",
                fix="give --data the folder that docs/training-data.md describes",
            ) from error
        hashes[name] = hashlib.sha256(content).hexdigest()
    unknown = sorted(set(left_out) - sources)
    if unknown:
        raise UsageError(
            f"the training set has no source '{unknown[0]}'",
            where="--leave-out",
            fix=f"its sources are {', '.join(sorted(sources))}",
        )
    return DataRecord(hashes, sorted(sources - set(left_out)), sorted(set(left_out)), drawn)


def check_same_data(recipe: Recipe, data: DataRecord) -> None:
    """Refuse to follow a recipe with other data.

    Raises:
        InputError: an index differs.
    """
    other = [name for name, value in data.sha256.items() if recipe.data.sha256.get(name) != value]
    if other:
        raise InputError(
            "the data are not those of the recipe",
            where=", ".join(other),
            fix="give --data the folder that the recipe was made from, or all options yourself",
        )


def write_recipe(folder: Path, recipe: Recipe, done: Dict[str, object]) -> Path:
    """Write the recipe of a run that has ended.

    Args:
        folder: of the weights.
        recipe: what decides them.
        done: steps, seconds, machine and figures, for the reader.
    """
    path = folder / RECIPE_NAME
    document = {
        "format": FORMAT_VERSION,
        **asdict(recipe),
        "code_version": __version__,
        "torch_version": torch.__version__,
        "done": done,
    }
    with AtomicFile(path, force=True) as file:
        file.write((json.dumps(document, indent=2, sort_keys=True) + "\n").encode())
    return path


def read_recipe(path: Path) -> Recipe:
    """Read what `write_recipe` wrote.

    Raises:
        InputError: missing, damaged, of another format or with impossible options.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT_VERSION:
            raise InputError("the recipe has another format", where=path, fix="use its own release")
        data = document["data"]
        record = DataRecord(
            sha256={str(name): str(value) for name, value in data["sha256"].items()},
            sources=_names(data["sources"]),
            left_out=_names(data["left_out"]),
            drawn=int(data["drawn"]),
        )
        plan, started_from = _plan(document["plan"]), str(document["started_from"])
        recipe = Recipe(str(document["network"]), plan, record, started_from)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "the recipe can't be read",
            where=path,
            why=f"{type(error).__name__}: {error}",
            fix=f"give a {RECIPE_NAME} that a training run wrote",
        ) from error
    check_plan(recipe.plan)
    return recipe


def _names(values: object) -> List[str]:
    if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
        raise TypeError("the sources are no list of names")
    return list(values)


def _plan(values: Mapping[str, object]) -> TrainingPlan:
    """A plan from JSON; every member must have the type of its default, or be an end."""
    ends: Dict[str, Tuple[type, ...]] = {
        "steps": (int, type(None)),
        "epochs": (int, type(None)),
        "minutes": (int, float, type(None)),
    }
    for field in fields(TrainingPlan):
        value = values[field.name]
        default = (int, float) if isinstance(field.default, float) else (type(field.default),)
        if isinstance(value, bool) or not isinstance(value, ends.get(field.name, default)):
            raise TypeError(f"plan.{field.name} is {value!r}")
    return TrainingPlan(**values)  # type: ignore[arg-type]
