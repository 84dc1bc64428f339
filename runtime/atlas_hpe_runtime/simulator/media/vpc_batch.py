"""``acl.media``: crop, resize and paste for several pictures at once (ascend.md section 5.1).

A call names how many areas belong to each source picture, and lists all areas one after another;
each area fills one picture of the output batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, cast

from atlas_hpe_runtime.simulator.calls import acl_call
from atlas_hpe_runtime.simulator.media.channel import check_channel
from atlas_hpe_runtime.simulator.media.codes import Refusal, noted
from atlas_hpe_runtime.simulator.media.configs import RESIZE, ROI
from atlas_hpe_runtime.simulator.media.descriptions import BATCH
from atlas_hpe_runtime.simulator.media.fields import find
from atlas_hpe_runtime.simulator.media.limits import MAX_AREAS, Area
from atlas_hpe_runtime.simulator.media.objects import BatchPicDesc, ResizeConfig, RoiConfig
from atlas_hpe_runtime.simulator.media.vpc import Job, plan, submit

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["batch_crop", "batch_crop_and_paste", "batch_crop_resize", "batch_crop_resize_paste"]


def _int_lists(*values: object) -> List[List[int]]:
    """Arguments that must be lists of ints, 1 to 256 long each.

    Raises:
        TypeError: Another type.
        ValueError: Too many or none, as pyACL says it.
    """
    for value in values:
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise TypeError("an argument is no list of ints")
        if not 1 <= len(value) <= MAX_AREAS:
            raise ValueError("number of crop areas must be between 1 and 256")
    counts = cast(List[int], values[0])
    if max(counts) > MAX_AREAS or min(counts) < 0:
        raise ValueError("number of crop areas must be between 1 and 256")
    return [cast(List[int], value) for value in values]


def _areas(machine: Machine, handles: List[int]) -> List[Area]:
    return [find(machine, ROI, handle, RoiConfig).area() for handle in handles]


def _run(
    machine: Machine,
    name: str,
    handles: List[int],
    counts: List[int],
    crops: List[int],
    pastes: Optional[List[int]] = None,
    config: Optional[int] = None,
) -> None:
    """Plan and queue; ``handles`` are channel, source batch, output batch and stream."""
    channel, source_batch, target_batch, stream = handles
    with noted(machine, name):
        check_channel(machine, channel)
        sources = find(machine, BATCH, source_batch, BatchPicDesc).pictures
        targets = find(machine, BATCH, target_batch, BatchPicDesc).pictures
        if len(counts) > len(sources):
            raise Refusal(f"{len(counts)} counts of areas for {len(sources)} pictures")
        if 0 in counts:
            raise Refusal("a picture with no area")
        owners = [sources[index] for index, count in enumerate(counts) for _ in range(count)]
        if len(owners) > MAX_AREAS or len(owners) != len(crops):
            raise Refusal(f"{len(crops)} areas, and the counts add up to {len(owners)}")
        if len(owners) > len(targets):
            raise Refusal(f"{len(owners)} areas for {len(targets)} output pictures")
        mode = 0
        if config is not None:
            mode = find(machine, RESIZE, config, ResizeConfig).interpolation
        paste_areas: List[Optional[Area]] = [None] * len(crops)
        if pastes is not None:
            paste_areas = [*_areas(machine, pastes)]
        jobs: List[Job] = [
            plan(machine, (source, target), crop_area, paste_area, mode)
            for source, target, crop_area, paste_area in zip(
                owners, targets, _areas(machine, crops), paste_areas
            )
        ]
    submit(machine, stream, jobs)


@acl_call("acl.media.dvpp_vpc_batch_crop_async", "kkOkOk", returns="value+ret", needs="context")
def batch_crop(
    machine: Machine,
    channel: int,
    sources: int,
    counts: object,
    targets: int,
    crops: object,
    stream: int,
) -> int:
    """Cut areas out of several pictures; gives the output batch back."""
    counted, areas = _int_lists(counts, crops)
    handles = [channel, sources, targets, stream]
    _run(machine, "dvpp_vpc_batch_crop_async", handles, counted, areas)
    return targets


@acl_call(
    "acl.media.dvpp_vpc_batch_crop_and_paste_async",
    "kkOkOOk",
    returns="value+ret",
    needs="context",
)
def batch_crop_and_paste(
    machine: Machine,
    channel: int,
    sources: int,
    counts: object,
    targets: int,
    crops: object,
    pastes: object,
    stream: int,
) -> int:
    """Cut areas out and paste each into a picture; gives the output batch back."""
    counted, areas, places = _paste_lists(counts, crops, pastes)
    handles = [channel, sources, targets, stream]
    _run(machine, "dvpp_vpc_batch_crop_and_paste_async", handles, counted, areas, places)
    return targets


@acl_call("acl.media.dvpp_vpc_batch_crop_resize_async", "kkOkOkk", needs="context")
def batch_crop_resize(
    machine: Machine,
    channel: int,
    sources: int,
    counts: object,
    targets: int,
    crops: object,
    config: int,
    stream: int,
) -> None:
    """As ``batch_crop``, with a choice of interpolation; gives ret alone."""
    counted, areas = _int_lists(counts, crops)
    handles = [channel, sources, targets, stream]
    name = "dvpp_vpc_batch_crop_resize_async"
    _run(machine, name, handles, counted, areas, config=config)


@acl_call("acl.media.dvpp_vpc_batch_crop_resize_paste_async", "kkOkOOkk", needs="context")
def batch_crop_resize_paste(
    machine: Machine,
    channel: int,
    sources: int,
    counts: object,
    targets: int,
    crops: object,
    pastes: object,
    config: int,
    stream: int,
) -> None:
    """As ``batch_crop_and_paste``, with a choice of interpolation; gives ret alone."""
    counted, areas, places = _paste_lists(counts, crops, pastes)
    handles = [channel, sources, targets, stream]
    name = "dvpp_vpc_batch_crop_resize_paste_async"
    _run(machine, name, handles, counted, areas, places, config)


def _paste_lists(counts: object, crops: object, pastes: object) -> List[List[int]]:
    lists = _int_lists(counts, crops, pastes)
    if len(lists[1]) != len(lists[2]):
        raise ValueError("number of crop areas must be between 1 and 256")
    return lists
