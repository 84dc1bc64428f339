from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_export.convert.faults import AtcFault, decode_log, decode_log_file, fault_error
from atlas_hpe_export.convert.faults.table import CODES
from atlas_hpe_export.node_names import NAME_SCOPES, read_node_modules
from tiny_onnx import bytes_field, model, node

# ascend.md section 3.5.
DOCUMENTED = """
    E10001 E10002 E10003 E10004 E10005 E10010 E10012 E10040 E10014 E10017 E10016 E10034 E10035
    E10052 E10501 E13026 E14001 E16001 E16002 E19010 E16004 E16005 E19021 E19999 E81012 EZ3002
    EZ3003 EZ9999
""".split()  # noqa: SIM905 - as the reference lists them
START = "ATC start working now, please wait for a moment.\n"
FAILED = "ATC run failed, Please check the detail log, Try 'atc --help' for more information\n"
SUCCESS = "ATC run success, welcome to the next use.\n"


def named(op_type: str, name: str, scopes: Optional[str] = None) -> bytes:
    body = node(op_type, ["image"], ["out"]) + bytes_field(3, name)
    if scopes is not None:
        body += bytes_field(9, bytes_field(1, NAME_SCOPES) + bytes_field(2, scopes))
        body += bytes_field(9, bytes_field(1, "stack trace") + bytes_field(2, "['x', 'y']"))
    return body


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    """A model whose nodes are named as the exporters name them."""
    nodes = [
        named("Conv", "/backbone/layer1/conv1/Conv"),
        named("Conv", "/backbone/layer1/conv1/Conv_1"),
        named("Conv", "/backbone/layer1/conv1/Conv_12"),
        named("GridSample", "/head/GridSample"),
        named("Mul", "/head/GridSample/Mul"),
        named("Exp", "/head/up/Softmax/Exp"),
        named("Relu", "Relu_7"),
        named("Relu", "node_relu", "['', 'stem', 'stem.act', 'relu']"),
        named("Add", "Op"),
    ]
    path = tmp_path / "hand pose.onnx"
    path.write_bytes(model(nodes, {"image": (1, 3, 8, 8)}, {"out": (1, 3, 8, 8)}))
    return path


def only(text: str, onnx: Path, status: Optional[int] = 1) -> AtcFault:
    faults = decode_log(text, onnx, status=status)
    assert len(faults) == 1, faults
    return faults[0]


@pytest.mark.parametrize("code", DOCUMENTED)
def test_every_documented_code_has_a_meaning_and_a_fix(code: str, onnx: Path) -> None:
    fault = only(START + FAILED + f"{code}: some words about it.\n", onnx)
    assert fault.code == code
    assert fault.what == CODES[code].what
    assert fault.fix
    assert fault.line == f"{code}: some words about it."


def test_the_two_codes_of_dynamic_axes_mean_the_same(onnx: Path) -> None:
    assert only("E10040: words", onnx).what == only("E10012: words", onnx).what


@pytest.mark.parametrize(
    "line",
    [
        "E10001: Value [x] for parameter [--soc_version] is invalid.",
        "  E10001: indented",
        "[ERROR] GE(12,atc):2022-01-01 E10001: behind a prefix",
        "[PID: 7] E10001(1): with a number",
        "E10001",
        "GE(12,atc):E10001: glued",
        "a tab\tE10001: before",
        "xE19010: no code, but then E10001: one",
    ],
)
def test_a_code_is_seen_wherever_atc_writes_it(line: str, onnx: Path) -> None:
    assert only(line, onnx).code == "E10001"


@pytest.mark.parametrize("line", ["xE10001: no", "E10001x: no", "/E10001/ no", "E100012: no"])
def test_what_only_contains_a_code_is_none(line: str, onnx: Path) -> None:
    assert only(line, onnx).code is None


def test_an_operator_without_parser_names_node_module_and_opset(onnx: Path) -> None:
    fault = only(
        "E19010: No parser is registered for Op "
        "[/head/GridSample, optype [ai.onnx::16::GridSample]].",
        onnx,
    )
    assert (fault.node, fault.module) == ("/head/GridSample", "head")
    assert "GridSample of opset 16" in fault.what
    assert fault.cause is not None and "too new" in fault.cause
    assert fault.command is not None
    assert shlex.split(fault.command)[:3] == ["atlas-hpe", "export", str(onnx)]


def test_an_old_opset_is_not_called_too_new(onnx: Path) -> None:
    fault = only("E16002: No ONNX parser is registered for optype [ai.onnx::11::GridSample].", onnx)
    assert fault.cause == "this CANN does not register GridSample for opset 11"


@pytest.mark.parametrize("optype", ["mmcv::1::GridSample", "ai.onnx::11::grid_sampler"])
def test_a_custom_operator_is_told_from_a_missing_one(optype: str, onnx: Path) -> None:
    fault = only(f"E19010: No parser is registered for Op [x, optype [{optype}]].", onnx)
    assert fault.cause is not None and "no operator of ONNX" in fault.cause
    assert fault.command is None


def test_lines_that_continue_a_report_are_faults_too(onnx: Path) -> None:
    log = (
        START + FAILED + "E19010: No parser is registered for Op [/head/GridSample, optype "
        "[ai.onnx::16::GridSample]].\n"
        "      Solution: Check the version.\n      TraceBack (most recent call last):\n"
        "      No parser is registered for Op [Relu_7, optype [ai.onnx::16::Relu]].\n"
        "      No parser is registered for Op [/head/GridSample, optype "
        "[ai.onnx::16::GridSample]].[FUNC:Parse]\n"
        "      No parser is registered for Op [Relu_7, optype [ai.onnx::16::Relu]].\n"
        "      ATC model parse ret fail.[FUNC:ParseGraph][FILE:omg.cc][LINE:787]\n"
    )
    faults = decode_log(log, onnx, status=255)
    assert [(item.code, item.node) for item in faults] == [
        ("E19010", "/head/GridSample"),
        ("E19010", "Relu_7"),
    ]


def test_a_kernel_that_does_not_compile_names_its_node(onnx: Path) -> None:
    log = (
        "EZ9999: Inner Error!\n"
        "      Failed to compile Op [/backbone/layer1/conv1/Conv]. (optype: [Conv2D])\n"
        "      [SubGraphOpt][Pre-Comp]Failed to pre-compile graph[FUNC:PreCompileOp]\n"
    )
    first, second = decode_log(log, onnx)
    assert first.node == "/backbone/layer1/conv1/Conv"
    assert first.module == "backbone.layer1.conv1"
    assert second.code == "EZ9999"


def test_every_kernel_that_does_not_compile_is_listed(onnx: Path) -> None:
    names = ["/head/GridSample", "Relu_7"]
    log = "".join(f"Failed to compile Op [{name}]. (optype: [x])\n" for name in names)
    assert [item.node for item in decode_log(log, onnx)] == names


def test_a_library_that_is_missed_twice_is_told_once(onnx: Path) -> None:
    only("libge.so: cannot open shared object file\nlibfe.so: cannot open shared object file", onnx)


def test_of_two_nodes_the_first_one_counts(onnx: Path) -> None:
    assert only("EZ3002: [Relu_7] after [/head/GridSample] fails", onnx).node == "Relu_7"
    assert only("EZ3002: [/head/GridSample] after [Relu_7]", onnx).node == "/head/GridSample"
    assert only("EZ3002: [/head/GridSample/Mul_fused]", onnx).node == "/head/GridSample/Mul"


@pytest.mark.parametrize("name", ["/head/GridSample", "Relu_7", "Op"])
def test_a_shape_that_is_not_found_names_its_node(name: str, onnx: Path) -> None:
    line = f"Call InferShapeAndType for node:{name}(Reshape) failed[FUNC:Infer][FILE:x.cc][LINE:1]"
    for path in (onnx, onnx.with_name("gone.onnx")):
        fault, inner = decode_log(f"EZ9999: Inner Error!\n   {line}\n", path)
        assert (fault.node, inner.code) == (name, "EZ9999")
        assert fault.cause is not None and "Reshape" in fault.cause


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("Optype [Conv2D] of [/backbone/layer1/conv1/Conv_1] unsupported", "Conv_1"),
        ("[/backbone/layer1/conv1/Conv_12_ascend_mbatch_batch_5] failed", "Conv_12"),
        ("op[-1_0_/backbone/layer1/conv1/Conv_1].", "Conv_1"),
        ("pre-compile node /backbone/layer1/conv1/Conv_12. thread id is [2]", "Conv_12"),
    ],
)
def test_names_that_atc_makes_lead_back_to_the_node(message: str, found: str, onnx: Path) -> None:
    assert only(f"EZ3002: {message}", onnx).node == f"/backbone/layer1/conv1/{found}"


@pytest.mark.parametrize(
    "message",
    [
        "[/backbone/layer1/conv1/Conv_2] failed",
        "Op of some kind failed",
        "[trans_TransData_3] failed",
        "[Relu_71] failed",
        "[xRelu_7] failed",
    ],
)
def test_a_node_that_the_file_does_not_have_is_not_made_up(message: str, onnx: Path) -> None:
    assert only(f"EZ3002: {message}", onnx).node in (None, "/backbone/layer1/conv1/Conv")
    assert only(f"EZ3002: {message}", onnx).node is None


def test_a_node_name_that_is_a_word_counts_only_in_brackets(onnx: Path) -> None:
    assert only("EZ3002: Op [Op] is unsupported", onnx).node == "Op"


def test_the_module_comes_from_the_scopes_where_the_file_has_them(onnx: Path) -> None:
    assert only("EZ3002: [node_relu] is unsupported", onnx).module == "stem.act"
    assert only("EZ3002: [/head/up/Softmax/Exp] is unsupported", onnx).module == "head.up"
    assert only("EZ3002: [Relu_7] is unsupported", onnx).module is None


def test_without_the_file_the_name_is_taken_from_its_place(tmp_path: Path) -> None:
    text = "EZ3003: No supported Ops kernel and engine are found for [/a/b/Foo], optype [Foo]."
    fault = only(text, tmp_path / "gone.onnx")
    assert (fault.node, fault.module) == ("/a/b/Foo", "a.b")


def test_a_damaged_file_names_no_nodes(tmp_path: Path) -> None:
    path = tmp_path / "damaged.onnx"
    for content in (b"\x3a\xff", b"\x3a\x04\x0a\x02\x1a\xff", b"\x3a\x05\x0a\x03\x1a\x01\xff"):
        path.write_bytes(content)
        assert read_node_modules(path) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("atc.bin: error while loading shared libraries: libascend_hal.so: cannot open", "stub"),
        ("atc.bin: error while loading shared libraries: libge.so: cannot open", "set_env.sh"),
        ("sh: 1: atc: not found", "set_env.sh"),
        ("bash: atc: command not found", "set_env.sh"),
        ("ModuleNotFoundError: No module named 'sympy'", "pip install"),
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("available memory is less than 2097152 kB", "swap"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "swap"),
        ("convert.sh: line 3:   12 Killed    atc", "swap"),
        ("error: atc failed with exit status 137: see above", "swap"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "start it"),
        ("ERROR: unknown command line flag 'auto_tune_mode'", "leave it out"),
    ],
)
def test_messages_without_a_code_are_known(text: str, told: str, onnx: Path) -> None:
    fault = only(text, onnx)
    assert fault.code is None
    assert fault.fix is not None and told in fault.fix


@pytest.mark.parametrize("status", [-9, 137])
def test_a_killed_atc_means_that_memory_ran_out(status: int, onnx: Path) -> None:
    fault = only(START + "working\n", onnx, status)
    assert "memory" in fault.what
    assert fault.line == ""


@pytest.mark.parametrize(("status", "number"), [(-11, 11), (139, 11), (-15, 15), (134, 6)])
def test_other_signals_are_named(status: int, number: int, onnx: Path) -> None:
    assert only(START, onnx, status).what == f"atc was ended by signal {number}"


def test_a_status_that_looks_like_a_signal_is_none_when_atc_itself_reports(onnx: Path) -> None:
    assert only(START + FAILED + "E10001: x\n", onnx, 137).code == "E10001"


def test_the_killed_line_and_the_status_are_one_fault(onnx: Path) -> None:
    assert only(START + "Killed\n", onnx, 137).line == "Killed"


def test_what_says_more_comes_before_an_inner_error(onnx: Path) -> None:
    log = "E19999: Inner Error!\n  Write file failed: No space left on device\n"
    assert [item.code for item in decode_log(log, onnx)] == [None, "E19999"]
    log = "EZ9999: Inner Error!\n  Failed to compile Op [x]\n  E10052: bad\nKilled\n"
    assert [item.code for item in decode_log(log, onnx)] == [None, None, "E10052", "EZ9999"]
    assert "memory" in decode_log(log, onnx)[0].what
    log = "E10052: bad\nE19010: worse\n"
    assert [item.code for item in decode_log(log, onnx)] == ["E10052", "E19010"]


def test_an_unknown_code_is_shown_as_it_stands(onnx: Path) -> None:
    fault = only("E77777: The flux is out of phase.[FUNC:Phase][FILE:flux.cc][LINE:1]", onnx)
    assert (fault.code, fault.what) == ("E77777", "The flux is out of phase")
    assert fault.cause is fault.fix is fault.command is None


def test_where_nothing_is_recognised_the_last_line_is_given(onnx: Path) -> None:
    text = "# atlas-hpe 1\n" + START + "something odd\n" + FAILED
    assert only(text, onnx).what == "something odd"
    assert only("something odd\n" + START * 5000, onnx).what == "something odd"


@pytest.mark.parametrize("text", ["", START, START + FAILED, "# header\n", START + "x\n" + SUCCESS])
def test_a_log_that_says_nothing_has_no_faults(text: str, onnx: Path) -> None:
    assert decode_log(text, onnx, status=0) == ()


@given(st.text(), st.integers(-300, 300))
def test_no_text_is_too_strange(text: str, status: int) -> None:
    faults = decode_log(text, Path("no such file"), status=status)
    assert str(fault_error(faults, model=Path("x.onnx")))


_PIECES = st.sampled_from(
    [
        "E19010",
        "EZ9999",
        ": ",
        "\n",
        " [",
        "]",
        "::",
        "11",
        "Op [",
        "for Op [",
        "ai.onnx::11::Relu",
        "No parser is registered ",
        "/a/b/Conv",
        "[FUNC:",
        "Killed",
        "{model}",
        "%s",
        "\udc80",
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_no_scraps_of_reports_are_too_strange(text: str) -> None:
    assert str(fault_error(decode_log(text, Path("x.onnx")), model=Path("x.onnx")))


def test_a_log_on_disk_reads_the_same_in_pieces(onnx: Path, tmp_path: Path) -> None:
    filler = "[INFO] compiling a kernel of no interest\n" * 5000
    text = filler + "E10052: bad\n" + filler + "x" * 200_000 + "\n" + "E19010: worse\n" + filler
    log = tmp_path / "hand.om.log"
    log.write_bytes(text.encode() + b"\xff\xfe")
    assert decode_log_file(log, onnx) == decode_log(text, onnx)
    assert [item.code for item in decode_log_file(log, onnx)] == ["E10052", "E19010"]


@pytest.mark.parametrize("offset", range(-3, 4))
def test_a_code_on_the_border_of_two_pieces_is_read(
    offset: int, onnx: Path, tmp_path: Path
) -> None:
    text = "x" * 62 + "\n"
    text = text * 1040 + "y" * ((1 << 16) - 63 * 1040 - 4 + offset) + " E10052: bad settings\n"
    assert only(text, onnx).code == "E10052"
    (tmp_path / "hand.log").write_text(text)
    assert [item.code for item in decode_log_file(tmp_path / "hand.log", onnx)] == ["E10052"]


def test_a_log_that_can_not_be_read_leaves_the_status(tmp_path: Path) -> None:
    (fault,) = decode_log_file(tmp_path / "gone.log", tmp_path / "gone.onnx", status=-9)
    assert "memory" in fault.what


def test_many_faults_are_cut_off(onnx: Path) -> None:
    faults = decode_log("".join(f"E77777: number {n}\n" for n in range(20_000)), onnx)
    assert len(faults) == 50
    assert "and 44 more" in str(fault_error(faults, model=onnx))


def test_the_time_grows_with_the_size_alone(onnx: Path) -> None:
    def seconds(text: str) -> float:
        start = time.process_time()
        decode_log(text, onnx)
        return time.process_time() - start

    for piece in (
        "[INFO] a line\n",
        "E1000 Op [ for [[[",
        "EZ9999: x\n",
        "ai.onnx::1::" + "a" * 99,
    ):
        small = piece * (200_000 // len(piece))
        least = min(seconds(small) for _ in range(3))
        assert min(seconds(small * 8) for _ in range(3)) < 40 * max(least, 1e-3)


def test_the_error_says_what_where_why_and_the_fix(onnx: Path) -> None:
    log = (
        "E19010: No parser is registered for Op "
        "[/head/GridSample, optype [ai.onnx::16::GridSample]].\nE10052: bad settings\n"
    )
    error = fault_error(decode_log(log, onnx), model=onnx, log=Path("hand.om.log"))
    assert error.exit_code == 4
    assert error.what == "atc failed: E19010, atc has no ONNX parser for GridSample of opset 16"
    assert error.where == f"node /head/GridSample (PyTorch module head) of {onnx}"
    assert error.why is not None and "too new" in error.why
    assert 'atc said "E19010: No parser' in error.why
    assert "also: E10052, the AIPP settings are not possible" in error.why
    assert error.fix is not None and "hand.om.log" in error.fix
    assert "atlas-hpe export" in error.fix


def test_an_error_without_faults_still_names_the_log() -> None:
    error = fault_error((), model=Path("hand.onnx"), log=Path("hand.om.log"))
    assert "did not say why" in error.what
    assert error.fix == "the whole log is hand.om.log"
