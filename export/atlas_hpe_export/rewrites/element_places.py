"""Reading and writing constant places of a tensor with Slice, Concat and Gather.

Places are flat positions of elements in a tensor. Those that an index expression names are mostly a
product of one list per axis, I_0 x I_1 x ...; then each axis is cut on its own. Others are taken
with one Gather from the flattened tensor.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, shape_of
from atlas_hpe_export.rewrites.along_axis import reshape, select_along

__all__ = [
    "MAX_PLACES",
    "as_product",
    "places_along",
    "places_of_tuples",
    "read_places",
    "write_box",
    "write_places",
]

#: Larger tensors are left as they are: looking through their places takes too long.
MAX_PLACES = 1 << 22


def places_of_tuples(shape: Sequence[int], indices: np.ndarray) -> np.ndarray:
    """Places named by index tuples (..., q), as GatherND and ScatterND take them: (..., inner)."""
    count = indices.shape[-1]
    sizes = np.array(shape[:count], np.int64)
    tuples = np.where(indices < 0, indices + sizes, indices).reshape(-1, count)
    inner = int(np.prod(shape[count:]))
    starts = np.zeros(len(tuples), np.int64)
    for column, size in enumerate(sizes):
        starts = starts * size + tuples[:, column]
    return starts[:, None] * inner + np.arange(inner)


def places_along(shape: Sequence[int], indices: np.ndarray, axis: int) -> np.ndarray:
    """Places named by an index per element, as GatherElements and ScatterElements take them."""
    axis %= len(shape)
    coordinates = np.indices(indices.shape)
    coordinates[axis] = np.where(indices < 0, indices + shape[axis], indices)
    return np.asarray(np.ravel_multi_index(tuple(coordinates), tuple(shape)))


def read_places(
    builder: GraphBuilder, x: ir.Value, places: np.ndarray, shape: Sequence[int]
) -> ir.Value:
    """The elements at places, in their order, in a shape."""
    before = shape_of(x) or ()
    lists = as_product(places.ravel(), before)
    if lists is None:
        flat = reshape(builder, x, int(np.prod(before)))
        found = select_along(builder, flat, 0, places.ravel().tolist())
    else:
        found = x
        for axis, wanted in enumerate(lists):
            found = select_along(builder, found, axis, wanted)
    return reshape(builder, found, *shape)


def write_places(
    builder: GraphBuilder, x: ir.Value, places: np.ndarray, updates: ir.Value
) -> ir.Value:
    """The tensor with other elements at some places; of two for one place, the last counts."""
    shape = shape_of(x) or ()
    lists = as_product(places.ravel(), shape)
    if lists is not None:
        box = reshape(builder, updates, *[len(wanted) for wanted in lists])
        return write_box(builder, x, lists, box)
    size = int(np.prod(shape))
    source = np.arange(size)
    source[places.ravel()] = size + np.arange(places.size)
    parts = reshape(builder, x, size), reshape(builder, updates, places.size)
    joined = builder.op("Concat", *parts, attributes={"axis": 0})
    return reshape(builder, select_along(builder, joined, 0, source.tolist()), *shape)


def as_product(places: np.ndarray, shape: Tuple[int, ...]) -> Optional[List[List[int]]]:
    """The list per axis whose product, in row-major order, the places are; None for others."""
    if not places.size:
        return None
    lists = []
    for coordinates in np.unravel_index(places, shape):
        _, first = np.unique(coordinates, return_index=True)
        lists.append(coordinates[np.sort(first)].tolist())
    if np.prod([len(wanted) for wanted in lists]) != places.size:
        return None
    product = np.ravel_multi_index(np.ix_(*lists), shape)
    return lists if np.array_equal(product.ravel(), places) else None


def write_box(
    builder: GraphBuilder, x: ir.Value, lists: Sequence[Sequence[int]], box: ir.Value
) -> ir.Value:
    """The tensor with a box of other elements at a product of one list per axis."""
    shape = shape_of(x) or ()
    for axis, wanted in enumerate(lists):
        everything = list(range(shape[axis]))
        if list(wanted) == everything:
            continue
        rest = [range(shape[at]) if at <= axis else item for at, item in enumerate(lists)]
        rest[axis] = range(len(wanted))
        if any(len(item) < size for item, size in zip(rest[axis + 1 :], shape[axis + 1 :])):
            box = write_box(builder, select_along(builder, x, axis, wanted), rest, box)
        return _write_along(builder, x, axis, wanted, box)
    return box


def _write_along(
    builder: GraphBuilder, x: ir.Value, axis: int, wanted: Sequence[int], box: ir.Value
) -> ir.Value:
    size = (shape_of(x) or ())[axis]
    start, end = wanted[0], wanted[-1] + 1
    if list(wanted) == list(range(start, end)):
        parts = [box]
        if start > 0:
            parts.insert(0, select_along(builder, x, axis, range(start)))
        if end < size:
            parts.append(select_along(builder, x, axis, range(end, size)))
        return builder.op("Concat", *parts, attributes={"axis": axis})
    source = np.arange(size)
    source[list(wanted)] = size + np.arange(len(wanted))
    joined = builder.op("Concat", x, box, attributes={"axis": axis})
    return select_along(builder, joined, axis, source.tolist())
