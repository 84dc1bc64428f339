"""What MODEL_DEF says: inputs, outputs, AIPP, operators, attributes; compressed names too."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Dict, Optional

import pytest

from atlas_hpe.errors import ModelFileError
from atlas_hpe.om_file import OmAipp, OmModel, OmProfiles, OmTensor, parse_om
from atlas_hpe.protowire import write_field
from om_files import Attribute, Model, Port, attr_def, build_om, typical_attributes

AIPP: Dict[str, Attribute] = {
    "aipp_mode": 1,
    "input_format": 1,
    "csc_switch": True,
    "crop": False,
    "matrix_r1c2": -208,
    "src_image_size_w": 256,
    "var_reci_chn_0": 0.5,
}
PICTURE = Port("image", (1, 256, 256, 3), "uint8", "NHWC", 98304, AIPP)


def read(model: Model) -> OmModel:
    return parse_om(build_om([model])).models[0]


def with_ops(*ops: bytes) -> OmModel:
    """A model whose MODEL_DEF has just these operators."""
    return read_definition_of(write_field(7, b"".join(write_field(6, op) for op in ops)))


def read_definition_of(definition: bytes) -> OmModel:
    header = bytearray(build_om([Model()])[:256])
    body = struct.pack("<IIII", 1, 0, 0, len(definition)) + definition
    struct.pack_into("<I", header, 76, len(body))
    return parse_om(bytes(header) + body).models[0]


def why(definition: bytes) -> str:
    with pytest.raises(ModelFileError) as refusal:
        read_definition_of(definition)
    return refusal.value.why or ""


def test_inputs_and_outputs_with_their_sizes() -> None:
    model = read(
        Model(
            inputs=[Port("image", (1, 3, 16, 16)), Port("scale", (), "float16", "ND")],
            outputs=[Port("joints", (1, 21, 2), "int64", "ND", size_bytes=344 + 32)],
        )
    )
    assert model.inputs == (
        OmTensor("image", "float32", "NCHW", (1, 3, 16, 16), 3072),
        OmTensor("scale", "float16", "ND", (), 2),
    )
    # The descriptor of an output counts 32 bytes of alignment; a program gets the bare tensor.
    assert model.outputs == (OmTensor("joints:0", "int64", "ND", (1, 21, 2), 336),)


def test_inputs_come_in_the_order_in_which_they_are_fed() -> None:
    first, second = Port("b", (1,)), Port("a", (1,))
    shuffled = [replace(first, attributes={"index": 1}), replace(second, attributes={"index": 0})]
    assert [port.name for port in read(Model(inputs=shuffled)).inputs] == ["a", "b"]
    same = [replace(port, attributes={"index": 0}) for port in (first, second)]
    assert [port.name for port in read(Model(inputs=same)).inputs] == ["b", "a"]
    without = replace(second, attributes={"index": "none"})
    found = read(Model(inputs=[shuffled[0], without])).inputs
    assert [port.name for port in found] == ["b", "a"]


def test_an_output_without_a_listed_name_has_that_of_its_node() -> None:
    described = write_field(33, write_field(2, 1))
    op = write_field(2, "NetOutput") + described * 2 + write_field(24, "joints_node")
    assert [port.name for port in with_ops(op).outputs] == ["joints_node", ""]
    endless = Model(attributes={"attr_model_out_nodes_name": ["x" * 5000]})
    assert read(endless).outputs[0].name == ""


def test_the_input_of_dynamic_aipp_counts_as_an_input() -> None:
    extra = Port("ascend_dynamic_aipp_data", (160,), "uint8", "ND", op_type="AippData")
    assert [port.name for port in read(Model(inputs=[PICTURE, extra])).inputs] == [
        "image",
        "ascend_dynamic_aipp_data",
    ]


def test_static_aipp_shows_its_settings_and_the_size_of_the_picture() -> None:
    (port,) = read(Model(inputs=[PICTURE])).inputs
    assert port.size_bytes == 98304  # nv12: less than the shape says
    assert port.aipp == OmAipp(
        "static",
        {
            "input_format": "YUV420SP_U8",
            "csc_switch": True,
            "crop": False,
            "matrix_r1c2": -208,
            "src_image_size_w": 256,
            "var_reci_chn_0": 0.5,
        },
    )
    assert read(Model()).inputs[0].aipp is None


@pytest.mark.parametrize(
    ("settings", "said", "mode"),
    [
        ({"aipp_mode": 2, "max_src_image_size": 1000}, None, "dynamic"),
        ({"max_src_image_size": 1000}, "dynamic_aipp_conf", "parameters"),
        ({"aipp_mode": 2}, "static_aipp", "static"),
        ({}, None, "unknown"),
        ({"aipp_mode": 7}, "new words", "unknown"),
        (None, "dynamic_aipp", "dynamic"),
    ],
)
def test_the_mode_of_aipp(
    settings: Optional[Dict[str, Attribute]], said: Optional[str], mode: str
) -> None:
    attributes: Dict[str, Attribute] = {} if said is None else {"_data_related_aipp_mode": said}
    port = Port("image", (1, 3, 8, 8), aipp=settings, attributes=attributes)
    aipp = read(Model(inputs=[port])).inputs[0].aipp
    assert aipp is not None and aipp.mode == mode
    assert aipp.settings.get("max_src_image_size") == (settings or {}).get("max_src_image_size")


def test_an_aipp_number_that_is_none_becomes_text() -> None:
    port = Port("image", (1, 3, 8, 8), aipp={"min_chn_0": float("inf"), "input_format": 99})
    aipp = read(Model(inputs=[port])).inputs[0].aipp
    assert aipp is not None
    assert aipp.settings == {"min_chn_0": "inf", "input_format": "format 99"}


def test_an_open_axis_is_shown_and_the_size_is_that_of_the_largest_profile() -> None:
    attributes: Dict[str, Attribute] = {"_mbatch_origin_input_dims": [-1, 3, 8, 8]}
    (port,) = read(Model(inputs=[Port("image", (4, 3, 8, 8), attributes=attributes)])).inputs
    assert (port.shape, port.size_bytes) == ((-1, 3, 8, 8), 4 * 3 * 8 * 8 * 4)


def test_operators_are_counted_in_branches_too_but_inputs_are_not() -> None:
    model = read(
        Model(operators={"Conv2D": 3}, subgraphs=[{"Conv2D": 2, "Data": 1, "NetOutput": 1}])
    )
    assert model.operators == {"Conv2D": 5, "Data": 2, "NetOutput": 2}
    assert len(model.inputs) == len(model.outputs) == 1


def test_an_output_inside_a_branch_is_none_of_the_model() -> None:
    op = write_field(6, write_field(2, "NetOutput") + write_field(33, write_field(2, 1)))
    model = read_definition_of(write_field(7, op) + write_field(7, op * 2))
    assert len(model.outputs) == 1 and model.operators == {"NetOutput": 3}


def test_two_open_axes_have_no_size() -> None:
    (port,) = read(Model(inputs=[Port("image", (-1, -1, 3), size_bytes=0)])).inputs
    assert port.size_bytes is None


def test_of_a_value_given_twice_the_last_one_holds() -> None:
    value = write_field(2, "Ascend910") + write_field(2, "Ascend310")
    entry = write_field(1, "soc_version") + write_field(2, value)
    assert read_definition_of(write_field(11, entry)).soc == "Ascend310"


def test_the_attributes_of_the_model() -> None:
    model = read(Model(attributes={**typical_attributes(), "opp_version": "1.81"}))
    assert (model.soc, model.framework, model.target) == ("Ascend310", "Onnx", "MINI")
    assert (model.atc_version, model.opp_version) == ("1.80.T15.0.B156", "1.81")
    assert model.cann_version == "5.0.4"
    assert model.memory_bytes == 1 << 20
    assert model.atc_command is not None and "--model=hand.onnx" in model.atc_command


def test_a_very_old_file_says_nothing_about_its_compiler() -> None:
    model = read(Model())
    said = (model.soc, model.atc_command, model.cann_version, model.memory_bytes, model.profiles)
    assert said == (None,) * 5


@pytest.mark.parametrize(
    ("command", "release"),
    [
        ("/usr/local/Ascend/ascend-toolkit/5.0.4.alpha002/x/atc.bin --a=b", "5.0.4.alpha002"),
        ("/opt/Ascend/ascend-toolkit/6.0.RC1/bin/atc", "6.0.RC1"),
        ("/usr/local/Ascend/ascend-toolkit/latest/bin/atc", None),
        ("atc --model=/data/5.0.4/hand.onnx", None),
    ],
)
def test_the_release_of_cann_is_in_the_compiler_s_path(
    command: str, release: Optional[str]
) -> None:
    assert read(Model(attributes=typical_attributes(command=command))).cann_version == release


@pytest.mark.parametrize(
    ("flag", "profiles"),
    [
        ("--dynamic_batch_size=1,2,4", OmProfiles("batch", ((1,), (2,), (4,)))),
        ('--dynamic_image_size="8,16;32,64"', OmProfiles("image size", ((8, 16), (32, 64)))),
        ("--dynamic_dims=1,2,3;4,5,6", OmProfiles("dims", ((1, 2, 3), (4, 5, 6)))),
        ("--dynamic_dims=", None),
        ("--dynamic_batch_size=1,x", None),
        ("--dynamic_batch_size=" + "9" * 5000, None),
    ],
)
def test_profiles_are_in_the_command_line(flag: str, profiles: Optional[OmProfiles]) -> None:
    model = read(Model(attributes=typical_attributes(command=f"atc --model=a {flag} --log=error")))
    assert model.profiles == profiles


def test_profiles_without_end_are_refused() -> None:
    attributes = typical_attributes(command="atc --dynamic_batch_size=1" + ",1" * 20_000)
    with pytest.raises(ModelFileError, match="more than 20,000"):
        read(Model(attributes=attributes))


def test_compressed_attribute_names_are_looked_up() -> None:
    attributes: Dict[str, Attribute] = {f"_filler_{index}": index for index in range(300)}
    attributes["_data_related_aipp_mode"] = "dynamic_aipp"  # its index takes two digits
    port = replace(PICTURE, attributes=attributes)
    plain = Model(inputs=[port], attributes=typical_attributes())
    packed = replace(plain, compressed_names=True)
    assert b"_filler_299" in build_om([packed])
    assert build_om([packed]).count(b"_data_related_aipp_mode") == 1  # in the table of names
    expected, found = read(plain), read(packed)
    assert found.inputs == expected.inputs
    assert found.inputs[0].aipp is not None and found.inputs[0].aipp.mode == "dynamic"
    assert (found.operators, found.soc) == (expected.operators, expected.soc)


@pytest.mark.parametrize(("flag", "mode"), [(1, "dynamic"), (0, "unknown")])
def test_a_flag_tells_whether_a_number_stands_for_a_text(flag: int, mode: str) -> None:
    tables = {
        "attr_name_enum": write_field(2, "_data_related_aipp_mode"),
        "attr_value_enum": write_field(2, "dynamic_aipp"),
        "attrs_use_string_value": write_field(5, flag),  # not packed
    }
    body = b"".join(
        write_field(11, write_field(1, name) + write_field(2, write_field(1, values)))
        for name, values in tables.items()
    )
    attribute = write_field(10, write_field(1, b"\0\1") + write_field(2, attr_def(0)))
    graph = write_field(6, write_field(2, "Data") + attribute)
    (port,) = read_definition_of(body + write_field(7, graph)).inputs
    assert port.aipp == OmAipp(mode)


def test_an_index_beyond_the_tables_is_passed_over() -> None:
    names = write_field(1, b"\0\x7f\x7f") + write_field(2, attr_def(1))
    op = write_field(1, "image") + write_field(2, "Data") + write_field(10, names)
    assert with_ops(op).inputs == (OmTensor("image", "unknown", "", ()),)


def test_text_that_is_no_utf8_is_replaced() -> None:
    (port,) = with_ops(write_field(1, b"im\xffage") + write_field(2, "Data")).inputs
    assert port.name == "im�age"


def test_damage_is_told_with_its_byte() -> None:
    good = write_field(1, "hand")
    # 256 of header, 16 of table: the definition begins at byte 272, the graph's content at 280.
    graph = write_field(7, b"\x32\x7f")
    assert "message that begins at byte 280: field 6 claims 127 bytes, 0 are left" in why(
        good + graph
    )
    assert "byte 272" in why(good + b"\x3a\xff\xff\xff\xff\x0f")


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (write_field(7, 5), "field 7 is a number where a message is due"),
        (write_field(1, 5), "the name of the model is a number where text is due"),
        (write_field(1, bytes(70_000)), "the name of the model of 70,000 bytes"),
        (write_field(7, write_field(6, write_field(2, 1))), "type of an operator is a number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(definition: bytes, words: str) -> None:
    assert words in why(definition)


def test_a_size_beyond_all_memory_is_not_stated() -> None:
    axes = b"".join(write_field(1, 1 << 40) for _ in range(3))
    descriptor = write_field(2, 1) + write_field(3, axes) + write_field(10, (1 << 64) - 1)
    (port,) = with_ops(write_field(2, "Data") + write_field(34, descriptor)).inputs
    assert port.shape == (1 << 40,) * 3 and port.size_bytes is None


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (lambda n: write_field(2, f"T{n}"), "operator types"),
        (lambda n: write_field(2, "Data"), "inputs"),
        (lambda n: write_field(2, "NetOutput") + write_field(33, b"") * 2, "outputs"),
        (lambda n: write_field(2, "NetOutput") + write_field(24, "a") * 2, "names of outputs"),
        (lambda n: write_field(2, "Data") + axes_of(5), "axes"),
        (lambda n: write_field(2, "Data") + open_axes(5), "axes"),
        (lambda n: write_field(2, "Data") + settings_of(5), "AIPP settings"),
    ],
)
def test_more_things_than_a_model_has_are_refused(op: object, words: str) -> None:
    assert callable(op)
    ops = b"".join(write_field(6, op(number)) for number in range(20_001))
    text = why(write_field(7, ops))
    assert "more than 20,000" in text and words in text


def axes_of(count: int) -> bytes:
    return write_field(34, write_field(3, write_field(1, 1) * count))


def open_axes(count: int) -> bytes:
    numbers = write_field(1, write_field(3, 1) * count)
    name = write_field(1, "_mbatch_origin_input_dims")
    return write_field(10, name + write_field(2, numbers))


def settings_of(count: int) -> bytes:
    entry = write_field(2, write_field(1, "a") + write_field(2, write_field(3, 1)))
    named = write_field(10, write_field(1, "aipp") + entry * count)
    return write_field(10, write_field(1, "aipp") + write_field(2, named))


def test_a_walk_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas_hpe.om_file.message._MAX_FIELDS", 1000)
    assert "more than 1,000 fields" in why(write_field(99, 1) * 1001)
    assert "more than 1,000 fields" in why(
        write_field(7, write_field(6, write_field(2, "a")) * 600)
    )
