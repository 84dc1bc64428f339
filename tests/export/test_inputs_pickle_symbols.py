"""A pickle read as symbols says what the real unpickler would build, and never runs anything."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from hostile_programs import RunsAtLoad, traced, unpack  # noqa: E402

from atlas_hpe_export.inputs.pickle_symbols import Call, Global, read_symbols  # noqa: E402
from atlas_hpe_export.inputs.script_pickles import read_traced_inputs  # noqa: E402

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.lists(inner, max_size=6).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN, st.sampled_from([2, 4]))
def test_plain_values_come_out_as_they_went_in(value: object, protocol: int) -> None:
    assert read_symbols(pickle.dumps(value, protocol=protocol)) == (value, [])


def test_what_would_run_becomes_a_symbol(tmp_path: Path) -> None:
    found, _ = read_symbols(pickle.dumps(RunsAtLoad(tmp_path / "was-run"), protocol=2))
    assert isinstance(found, Call)
    assert not (tmp_path / "was-run").exists()


def test_objects_and_shared_values_are_followed() -> None:
    shared = [1]
    found, _ = read_symbols(pickle.dumps((shared, shared, OrderedDict(a=2)), protocol=2))
    first, second, call = found  # type: ignore[misc]
    assert first is second
    assert isinstance(call, Call) and isinstance(call.function, Global)
    assert call.function.name == "collections OrderedDict"


def test_storages_are_listed_in_order() -> None:
    stream = io.BytesIO()
    torch.save({"a": torch.ones(3), "b": torch.ones(2, dtype=torch.int64)}, stream)
    _, stored = read_symbols(unpack(stream.getvalue())[1]["data.pkl"])
    kinds = [(item.pid[1].name, item.pid[2], item.pid[4]) for item in stored]  # type: ignore[index]
    assert kinds == [("torch FloatStorage", "0", 3), ("torch LongStorage", "1", 2)]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for head in (b"", b"\x80\x02"):
        try:
            read_symbols(head + data + b".")
        except ValueError:
            continue


@given(st.data())
def test_damaged_traces_give_shapes_or_nothing(data: st.DataObject) -> None:
    whole = bytearray(TRACED)
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = read_traced_inputs(bytes(whole))
    assert found is None or all(isinstance(item, torch.Tensor) for item in found)


TRACED = unpack(traced())[1]["traced_inputs.pkl"]


def test_a_whole_trace_gives_its_shapes() -> None:
    found = read_traced_inputs(TRACED)
    assert found is not None
    assert [tuple(item.shape) for item in found] == [(1, 3, 8, 8)]
    assert read_traced_inputs(TRACED.replace(b"forward", b"another")) is None
    assert read_traced_inputs(TRACED.replace(b"FloatStorage", b"QInt8Storage")) is None
