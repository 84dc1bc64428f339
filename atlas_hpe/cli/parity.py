"""``atlas-hpe parity``: does the exported model still say what PyTorch said?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

if TYPE_CHECKING:
    from atlas_hpe.parity import LadderReport

__all__ = ["command"]


@dataclass(frozen=True)
class _Request:
    """What was typed."""

    model: str
    reference: Optional[str]
    images: Optional[str]
    rungs: Optional[str]
    pictures: Optional[str]
    layers: bool
    bisect: Optional[str]
    record: Optional[str]
    replay: Optional[str]
    arch: Optional[str]
    factory: Optional[str]
    trust_pickle: bool
    force: bool


@click.command("parity")
@click.argument("files", nargs=-1, required=True, metavar="[REFERENCE] MODEL")
@click.option("--images", metavar="FOLDER", help="Pictures to compare on; default: drawn hands.")
@click.option("--rungs", metavar="NAMES", help="Of onnx,half,aipp; default: all that apply.")
@click.option("--pictures", metavar="FOLDER", help="Draw each rung's worst sample.")
@click.option("--layers", is_flag=True, help="Compare layer by layer too.")
@click.option(
    "--bisect", metavar="FOLDER", help="Write the first node that breaks its tolerance, alone."
)
@click.option("--record", metavar="FILE.npz", help="Keep what the reference says, for a board.")
@click.option("--replay", metavar="FILE.npz", help="Compare MODEL with what was recorded.")
@click.option("--arch", metavar="NAME", help="Network; default: recognised by its tensors.")
@click.option("--factory", metavar="MODULE:NAME", help="Your function that makes the network.")
@click.option("--trust-pickle", is_flag=True, help="Run the code inside a pickled REFERENCE.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def command(files: Tuple[str, ...], as_json: bool, **options: object) -> None:
    """Compare MODEL.onnx with the REFERENCE that it was made from, in tensors and in joints.

    REFERENCE is a PyTorch file or another .onnx; without it, MODEL itself in float32. Each rung
    comes closer to the board: onnx (ONNX Runtime, float32), half (stored in fp16, summed in fp32),
    aipp (half, behind NV12 pictures and AIPP).

    Exit code 1 when a rung differs by more than the table of tolerances allows.
    """
    from atlas_hpe.errors import CheckFailedError
    from atlas_hpe.parity import describe_ladder, ladder_to_dict

    request = _read_request(files, options)
    report = _climb(request) if request.replay is None else _replay(request)
    for line in describe_ladder(report):
        say(line)
    found = {**ladder_to_dict(report), **_explain(request, report)}
    if as_json:
        emit_json(found)
    if not report.passed:
        raise CheckFailedError(
            f"the model does not say what {report.reference} says",
            where=request.model,
            why="; ".join(report.failures),
            fix=_suggest_fix(request),
        )
    _say_what_is_next(request)


def _read_request(files: Tuple[str, ...], options: Dict[str, object]) -> _Request:
    from atlas_hpe.errors import UsageError

    if len(files) > 2:
        raise UsageError(f"{len(files)} files were given", fix="give a REFERENCE and a MODEL")
    reference = files[0] if len(files) == 2 else None
    request = _Request(model=files[-1], reference=reference, **options)  # type: ignore[arg-type]
    other = ("images", "rungs", "layers", "bisect", "record", "arch", "factory", "trust_pickle")
    given = ["--" + name.replace("_", "-") for name in other if getattr(request, name)]
    if request.replay is not None and (given or reference):
        raise UsageError(
            "a replay compares MODEL with what was recorded, and with nothing else",
            where=", ".join(given or ["REFERENCE"]),
            fix="atlas-hpe parity MODEL --replay FILE.npz",
        )
    network = [name for name in ("arch", "factory", "trust_pickle") if getattr(request, name)]
    if reference is None and network:
        raise UsageError(
            "there is no REFERENCE to make a network of",
            where="--" + network[0].replace("_", "-"),
            fix="atlas-hpe parity REFERENCE MODEL",
        )
    return request


def _replay(request: _Request) -> LadderReport:
    """On a board there is neither torch nor onnx: nothing here may need them."""
    from pathlib import Path

    from atlas_hpe.card import find_card
    from atlas_hpe.parity import replay_bundle
    from atlas_hpe_pipelines import check_worst_pictures, decode_joints
    from atlas_hpe_runtime import open_session

    if request.pictures is not None:
        check_worst_pictures(request.pictures, force=request.force)
    card = find_card(request.model)
    with open_session(request.model) as session:
        return replay_bundle(
            str(request.replay),
            session,
            model=Path(request.model).name,
            card=card,
            decode_joints=decode_joints,
        )


def _climb(request: _Request) -> LadderReport:
    from atlas_hpe.parity import find_rungs
    from atlas_hpe_export import NetworkOptions, run_ladder
    from atlas_hpe_pipelines import check_worst_pictures, decode_joints, prepare_sample
    from atlas_hpe_pipelines.drawn_hand import draw_samples

    if request.pictures is not None:
        check_worst_pictures(request.pictures, force=request.force)
    if request.bisect is not None:
        from atlas_hpe_export import check_bisection_folder

        check_bisection_folder(request.bisect, force=request.force)
    return run_ladder(
        request.model,
        request.reference,
        rungs=None if request.rungs is None else find_rungs(request.rungs),
        options=NetworkOptions(request.arch, request.factory, request.trust_pickle),
        images=request.images,
        prepare_sample=prepare_sample,
        draw_samples=draw_samples,
        decode_joints=decode_joints,
        record=request.record,
        force=request.force,
    )


def _explain(request: _Request, report: LadderReport) -> Dict[str, object]:
    """What was asked for beside the ladder, told and as data."""
    found: Dict[str, object] = {}
    if request.pictures is not None:
        from atlas_hpe_pipelines import write_worst_pictures

        paths = write_worst_pictures(report, request.pictures, force=request.force)
        for path in paths:
            say(f"wrote {path}")
        found["pictures"] = [str(path) for path in paths]
    if request.layers:
        found["layers"] = _compare_layers(request, report)
    if request.bisect is not None:
        found["bisection"] = _bisect(request, report)
    return found


def _compare_layers(request: _Request, report: LadderReport) -> Dict[str, object]:
    from atlas_hpe_export import (
        NetworkOptions,
        compare_model_layers,
        describe_layers,
        layers_to_dict,
    )

    if report.example is None:
        return {}
    found: Dict[str, object] = {}
    for what, layers in compare_model_layers(
        request.model,
        report.example.feeds,
        request.reference,
        options=NetworkOptions(request.arch, request.factory, request.trust_pickle),
    ):
        say(f"{what}, on {report.example.name}:")
        for line in describe_layers(layers):
            say(line)
        found[what] = layers_to_dict(layers)
    return found


def _bisect(request: _Request, report: LadderReport) -> Optional[Dict[str, object]]:
    from atlas_hpe_export import bisect_model, bisection_to_dict, describe_bisection

    if report.example is None:
        return None
    found = bisect_model(
        request.model,
        report.example.feeds,
        str(request.bisect),
        request.reference,
        force=request.force,
    )
    if found is None:
        say(f"bisect: on {report.example.name} no node breaks its tolerance; nothing was written")
        return None
    what, bisection = found
    say(f"bisect: {what}, on {report.example.name}:")
    for line in describe_bisection(bisection):
        say(line)
    return {"what": what, **bisection_to_dict(bisection)}


def _suggest_fix(request: _Request) -> str:
    if request.replay is not None:
        return "on the machine that recorded: atlas-hpe parity REFERENCE MODEL --layers"
    if request.layers or request.bisect:
        return "look at what was found above"
    return "see where it begins: add --layers, or --bisect FOLDER"


def _say_what_is_next(request: _Request) -> None:
    from atlas_hpe.card import find_card

    if request.replay is not None:
        return
    if request.record is not None:
        say_next("atlas-hpe", "parity", request.model, "--replay", request.record)
    if find_card(request.model) is None:
        return  # nothing says how a picture becomes its input
    if request.record is None and request.images is None:
        files = [request.model] if request.reference is None else [request.reference, request.model]
        say_next("atlas-hpe", "parity", *files, "--images", "FOLDER")
    say_next("atlas-hpe", "run", "VIDEO", "--model", request.model, "--out", "hands.gif")
