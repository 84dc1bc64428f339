"""ONNX files read without onnx: what they say, and what hostile ones are answered with."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest
from example_cards import plain_card
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import field, graph, message, model, node, tensor

from atlas_hpe.card import (
    CARD_METADATA_KEY,
    BuildRecord,
    TensorSpec,
    card_to_json,
    load_card,
)
from atlas_hpe.errors import CardError, InputError, ModelFileError
from atlas_hpe.files import sha256_of
from atlas_hpe.onnx_file import OnnxSummary, read_onnx_summary
from atlas_hpe.simulated_file import SIMULATED_WORDS
from tiny_onnx import varint

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write bytes to a file whose folder holds nothing else, and give its path."""
    folder = tmp_path / "models"
    folder.mkdir()

    def write_bytes(content: bytes) -> Path:
        path = folder / "toy.onnx"
        path.write_bytes(content)
        return path

    return write_bytes


def test_the_summary_of_a_small_model(write: Write) -> None:
    assert read_onnx_summary(write(model())) == OnnxSummary(
        ir_version=6,
        producer="toy 1.0",
        opsets={"ai.onnx": 11, "com.toy": 1},
        inputs=(TensorSpec("image", (1, 3, -1, 8), "float32"),),  # w is an initialiser
        outputs=(TensorSpec("joints", (1, 21, 2), "float16"),),
        operators={"Conv": 2, "Relu": 1},
        weights=6,
        metadata={"key": "value"},
        external_files=(),
    )


def test_packed_dimensions_count_like_plain_ones(write: Write) -> None:
    packed = field(1, varint(5) + varint(7)) + message({2: 1, 8: "w"})
    summary = read_onnx_summary(write(model(graph([node("Conv")], [packed]))))
    assert summary.weights == 35


def test_operators_inside_bodies_are_counted(write: Write) -> None:
    body = field(6, graph([node("Relu"), node("If", field(11, graph([node("Tanh")])))]))
    summary = read_onnx_summary(write(model(graph([node("If", body)]))))
    assert summary.operators == {"If": 2, "Relu": 1, "Tanh": 1}
    assert len(summary.inputs) == 2  # of the outer graph only


def test_operators_inside_functions_are_counted(write: Write) -> None:
    function = message({1: "f", 7: [node("Relu"), node("Exp")]})
    summary = read_onnx_summary(write(model(graph([node("f")]), extra=field(25, function))))
    assert summary.operators == {"Exp": 1, "Relu": 1, "f": 1}


def nested(depth: int) -> bytes:
    innermost = graph([node("Relu")])
    for _ in range(depth):
        innermost = graph([node("If", field(6, innermost))])
    return model(innermost)


def test_bodies_within_reason_are_read_and_deeper_ones_refused(write: Write) -> None:
    assert read_onnx_summary(write(nested(16))).operators["If"] == 16
    for depth in (17, 500):
        with pytest.raises(ModelFileError) as caught:
            read_onnx_summary(write(nested(depth)))
        assert caught.value.why == "graphs nested more than 16 deep"


def test_a_model_cut_at_any_byte_is_refused_or_loses_trailing_fields_only(write: Write) -> None:
    whole = model()
    for size in range(len(whole)):
        try:
            summary = read_onnx_summary(write(whole[:size]))
        except ModelFileError as error:
            assert error.where == str(write(b""))
        else:
            # Cut between two fields: protobuf has no end mark, but the graph must be there.
            assert summary.operators == {"Conv": 2, "Relu": 1}


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"not a model at all\n", b"PK\x03\x04" + b"\0" * 40, bytes(range(256)), b"{}"],
)
def test_a_file_that_is_no_model(write: Write, content: bytes) -> None:
    with pytest.raises(ModelFileError, match="not an ONNX model"):
        read_onnx_summary(write(content))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"IMOD" + bytes((0, 1, 0, 0, 0, 0, 0, 32)) + bytes(300), "an .om"),
        (b"PICO" + bytes(300), "an .om"),
        (SIMULATED_WORDS + b"1\n" + bytes(300), "a simulated model"),
    ],
)
def test_a_model_that_was_compiled_is_called_what_it_is(
    write: Write, content: bytes, kind: str
) -> None:
    with pytest.raises(ModelFileError, match=f"this is {kind}") as caught:
        read_onnx_summary(write(content))
    assert caught.value.fix == "give the .onnx that it was made from"


def test_a_model_needs_a_graph_and_an_opset(write: Write) -> None:
    with pytest.raises(ModelFileError, match="not an ONNX model") as caught:
        read_onnx_summary(write(message({1: 6, 8: message({2: 11})})))
    assert caught.value.why == "it holds no graph" and caught.value.fix
    with pytest.raises(ModelFileError, match="not an ONNX model") as caught:
        read_onnx_summary(write(message({1: 6, 7: graph()})))
    assert caught.value.why == "it names no opset"


def test_a_missing_model_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_onnx_summary(tmp_path / "toy.onnx")


# -- weights outside the file ------------------------------------------------------------------


def with_external(*locations: str) -> bytes:
    return model(graph([node("Conv")], [tensor(external=locations)]))


def test_weights_beside_the_model_are_named(write: Write) -> None:
    path = write(with_external("toy.bin"))
    (path.parent / "toy.bin").write_bytes(b"\0" * 24)
    assert read_onnx_summary(path).external_files == ("toy.bin",)


def test_weights_in_a_folder_below_the_model_are_named(write: Write) -> None:
    path = write(with_external("weights/toy.bin"))
    (path.parent / "weights").mkdir()
    (path.parent / "weights" / "toy.bin").write_bytes(b"\0" * 24)
    assert read_onnx_summary(path).external_files == ("weights/toy.bin",)


def test_missing_weights_are_named(write: Write) -> None:
    with pytest.raises(ModelFileError, match="a file with weights of the model is missing"):
        read_onnx_summary(write(with_external("toy.bin")))


ESCAPES = ["../secret", "weights/../../secret", "/etc/passwd", "..", ".", "", "./", "a/../.."]


@pytest.mark.parametrize("location", ESCAPES)
def test_weights_outside_the_folder_are_refused(write: Write, location: str) -> None:
    path = write(with_external(location))
    (path.parent.parent / "secret").write_bytes(b"secret")
    with pytest.raises(ModelFileError, match="asks for weights outside its own folder"):
        read_onnx_summary(path)


def test_a_link_out_of_the_folder_is_refused(write: Write) -> None:
    path = write(with_external("link"))
    secret = path.parent.parent / "secret"
    secret.write_bytes(b"secret")
    (path.parent / "link").symlink_to(secret)
    with pytest.raises(ModelFileError, match="outside its own folder"):
        read_onnx_summary(path)


def test_a_linked_folder_out_of_the_folder_is_refused(write: Write) -> None:
    path = write(with_external("link/secret"))
    (path.parent.parent / "secret").write_bytes(b"secret")
    (path.parent / "link").symlink_to(path.parent.parent)
    with pytest.raises(ModelFileError, match="outside its own folder"):
        read_onnx_summary(path)


def test_a_link_to_itself_is_refused(write: Write) -> None:
    path = write(with_external("loop"))
    (path.parent / "loop").symlink_to("loop")
    with pytest.raises(ModelFileError):
        read_onnx_summary(path)


@pytest.mark.parametrize("location", ["a\0b", "x" * 5000, "toy.onnx/inside"])
def test_a_location_that_no_system_takes_is_refused(write: Write, location: str) -> None:
    with pytest.raises(ModelFileError):
        read_onnx_summary(write(with_external(location)))


def test_a_second_location_does_not_hide_the_first(write: Write) -> None:
    path = write(with_external("../secret", "toy.bin"))
    (path.parent / "toy.bin").write_bytes(b"\0" * 24)
    with pytest.raises(ModelFileError, match="outside its own folder"):
        read_onnx_summary(path)


def outside() -> bytes:
    return tensor(external=["../secret"])


# SparseTensorProto: 1 values, 2 indices. AttributeProto: 5 t, 10 tensors, 22 sparse_tensor,
# 23 sparse_tensors. GraphProto: 15 sparse_initializer. ModelProto: 20 training_info, 25 functions.
HIDDEN_PLACES = {
    "attribute": lambda: model(graph([node("Constant", field(5, outside()))])),
    "attribute list": lambda: model(graph([node("Constant", field(10, outside()))])),
    "attribute, sparse values": lambda: model(
        graph([node("Constant", field(22, field(1, outside())))])
    ),
    "attribute list, sparse indices": lambda: model(
        graph([node("Constant", field(23, field(2, outside())))])
    ),
    "sparse values": lambda: model(graph(extra=field(15, field(1, outside())))),
    "sparse indices": lambda: model(graph(extra=field(15, field(2, outside())))),
    "body": lambda: model(graph([node("If", field(6, graph([], [outside()])))])),
    "function": lambda: model(
        graph(), extra=field(25, field(7, node("Constant", field(5, outside()))))
    ),
    "function attribute default": lambda: model(
        graph(), extra=field(25, field(11, field(5, outside())))
    ),
    "training, initialisation": lambda: model(
        graph(), extra=field(20, field(1, graph([], [outside()])))
    ),
    "training, algorithm": lambda: model(
        graph(), extra=field(20, field(2, graph([], [outside()])))
    ),
}


@pytest.mark.parametrize("place", sorted(HIDDEN_PLACES))
def test_weights_outside_the_folder_are_found_wherever_they_hide(write: Write, place: str) -> None:
    with pytest.raises(ModelFileError, match="outside its own folder"):
        read_onnx_summary(write(HIDDEN_PLACES[place]()))


# -- damage ------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.data())
def test_damaged_models_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(
        data.draw(st.sampled_from([model(), nested(3), with_external("toy.bin"), model(graph())]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if kind == "set":
            content[position] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            content[position:position] = data.draw(st.binary(min_size=1, max_size=12))
        elif len(content) > 1:
            del content[position : position + data.draw(st.integers(1, 8))]
            content = content or bytearray(b"\0")
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    try:
        read_onnx_summary(path)
    except ModelFileError as error:
        assert error.where == str(path)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.onnx"
    path.write_bytes(content)
    try:
        read_onnx_summary(path)
    except ModelFileError as error:
        assert error.where == str(path)


def test_a_tensor_of_absurdly_many_dimensions_is_refused_at_once(write: Write) -> None:
    # Multiplying them all would take hours: the product has some ten million digits.
    dims = field(1, varint((1 << 63) - 1) * 500_000) + message({2: 1, 8: "w"})
    start_s = time.monotonic()
    with pytest.raises(ModelFileError, match="damaged"):
        read_onnx_summary(write(model(graph([node("Conv")], [dims]))))
    assert time.monotonic() - start_s < 30


# -- the card inside ---------------------------------------------------------------------------


def test_the_card_of_a_model_is_read_from_its_metadata(write: Write) -> None:
    from example_cards import plain_card

    entry = message({1: CARD_METADATA_KEY, 2: card_to_json(plain_card())})
    assert load_card(write(model(extra=field(14, entry)))) == plain_card()


def test_the_card_of_a_model_is_read_from_beside_it(write: Write) -> None:
    from example_cards import plain_card

    path = write(model())
    path.with_name("toy.onnx.json").write_text(card_to_json(plain_card()), encoding="utf-8")
    assert load_card(path) == plain_card()
    assert load_card(path.with_name("toy.onnx.json")) == plain_card()


def test_a_model_without_a_card_is_answered_with_the_command_that_makes_one(write: Write) -> None:
    with pytest.raises(CardError, match="the model has no card") as caught:
        load_card(write(model()))
    assert "atlas-hpe export" in (caught.value.fix or "")


def test_a_compiled_model_without_a_card_is_told_where_to_put_it(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(b"IMOD")
    with pytest.raises(CardError, match="the model has no card") as caught:
        load_card(path)
    assert "keep hand.om.json" in (caught.value.fix or "")


def test_a_card_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hand.om.json"
    path.write_bytes(b"\xff\xfe{\0}\0")
    with pytest.raises(CardError, match="not UTF-8"):
        load_card(tmp_path / "hand.om")


def test_the_card_of_another_compilation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(b"IMOD")
    build = BuildRecord("atc", False, {}, "22", sha256_of(path), 1.5, None, "here")
    plain = plain_card()
    card = replace(plain, provenance=replace(plain.provenance, build=build))
    (tmp_path / "hand.om.json").write_text(card_to_json(card), encoding="utf-8")
    assert load_card(path) == card
    path.write_bytes(b"IMOD, for other pictures")
    with pytest.raises(CardError, match="another file") as caught:
        load_card(path)
    assert "hand.om" in (caught.value.why or "")
