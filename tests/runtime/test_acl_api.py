"""The gate: shapes of results, failures, and what is said about them."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from types import ModuleType, SimpleNamespace
from typing import List, Tuple

import pytest

from atlas_hpe.errors import DeviceError, MissingExtraError, UsageError
from atlas_hpe_runtime.acl import api
from atlas_hpe_runtime.acl.api import Acl, acquire, close_after, device_error, load_acl
from atlas_hpe_runtime.acl.codes import explain


def gate(**functions: object) -> Acl:
    """A gate to a module with the given functions of acl.rt, acl.mdl and acl.util."""
    module = ModuleType("acl")
    module.rt = SimpleNamespace(**functions)  # type: ignore[attr-defined]
    module.mdl = module.rt  # type: ignore[attr-defined]
    module.util = module.rt  # type: ignore[attr-defined]
    module.create_data_buffer = functions.get("create_data_buffer")  # type: ignore[attr-defined]
    return Acl(module)


def test_results_come_without_their_code() -> None:
    acl = gate(
        set_device=lambda device: 0,
        malloc=lambda size, policy: (4096 + size, 0),
        query_size=lambda path: (7, 8, 0),
        get_num_inputs=lambda desc: 3,
        get_input_name_by_index=lambda desc, index: "image",
    )
    assert acl.call("rt.set_device", 0) is None
    assert acl.call("rt.malloc", 10, 2) == 4106
    assert acl.call("mdl.query_size", "a.om") == (7, 8)
    assert acl.number("mdl.get_num_inputs", 1) == 3
    assert acl.text("mdl.get_input_name_by_index", 1, 0) == "image"


@pytest.mark.parametrize("result", [507011, (0, 507011), (1, 2, 507011)])
def test_a_failure_names_call_code_meaning_and_fix(result: object) -> None:
    with pytest.raises(DeviceError) as caught:
        gate(execute=lambda *args: result).call("mdl.execute", 1, 2, 3)
    text = str(caught.value)
    assert "acl.mdl.execute" in text
    assert "507011: the model failed while it ran" in text
    assert caught.value.fix and "smaller batch" in caught.value.fix


def test_a_null_handle_is_a_failure() -> None:
    acl = gate(create_desc=lambda: 0, create_data_buffer=lambda pointer, size: 0)
    for name, args in (("mdl.create_desc", ()), ("create_data_buffer", (1, 2))):
        with pytest.raises(DeviceError, match=f"acl.{name}") as caught:
            acl.call(name, *args)
        assert "gives no code" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "failing"),
    [
        ("get_num_inputs", 0),
        ("get_input_size_by_index", 0),
        ("get_input_name_by_index", ""),
        ("get_output_data_type", -1),
        ("get_output_format", -1),
        ("get_tensor_real_name", None),
    ],
)
def test_calls_without_a_code_fail_by_their_value(call: str, failing: object) -> None:
    with pytest.raises(DeviceError, match=call):
        gate(**{call: lambda *args: failing}).call(f"mdl.{call}", 1, 0)


def test_a_type_number_of_zero_is_no_failure() -> None:
    acl = gate(get_input_data_type=lambda desc, index: 0)
    assert acl.number("mdl.get_input_data_type", 1, 0) == 0


def test_a_refused_argument_is_a_device_error() -> None:
    def malloc(size: int, policy: int) -> Tuple[int, int]:
        raise TypeError("acl.rt.malloc args parse failed")

    with pytest.raises(DeviceError, match="refused its arguments") as caught:
        gate(malloc=malloc).call("rt.malloc", 1.5, 0)
    assert caught.value.why == "acl.rt.malloc args parse failed"


def test_a_function_of_another_generation_is_named() -> None:
    acl = gate(numpy_to_ptr=lambda array: 1)
    assert acl.has("util.numpy_to_ptr")
    assert not acl.has("util.bytes_to_ptr")
    with pytest.raises(DeviceError, match=r"no acl\.util\.bytes_to_ptr"):
        acl.call("util.bytes_to_ptr", b"")


@pytest.mark.parametrize("result", [None, "text", (1,), (1, "text")])
def test_a_result_of_unknown_form_is_an_error(result: object) -> None:
    with pytest.raises(DeviceError, match="unknown form"):
        gate(malloc=lambda *args: result).call("rt.malloc", 1, 2)


def test_a_value_of_the_wrong_type_is_an_error() -> None:
    acl = gate(get_context=lambda: ("text", 0), get_num_inputs=lambda desc: None)
    with pytest.raises(DeviceError, match=r"acl\.rt\.get_context"):
        acl.number("rt.get_context")
    with pytest.raises(DeviceError, match=r"acl\.mdl\.get_num_inputs"):
        acl.text("mdl.get_num_inputs", 1)


def test_what_is_acquired_is_given_back_in_reverse_order() -> None:
    freed: List[int] = []
    handles = iter([11, 12])
    acl = gate(
        create_stream=lambda: (next(handles), 0),
        destroy_stream=lambda handle: freed.append(handle) or 0,
    )
    with ExitStack() as stack:
        for _ in range(2):
            acquire(stack, acl, "rt.create_stream", undo="rt.destroy_stream")
    assert freed == [12, 11]


def test_a_release_that_fails_is_tried_again_and_told() -> None:
    codes = iter([500003, 0])
    tries: List[int] = []

    def free(pointer: int) -> int:
        tries.append(pointer)
        return next(codes)

    with pytest.raises(DeviceError, match=r"acl\.rt\.free") as caught:
        gate(free=free).release("rt.free", 5)
    assert tries == [5, 5]
    assert "500003" in str(caught.value)


def test_the_file_concerned_is_shown() -> None:
    assert device_error("mdl.load_from_file", 145002, "hand.om").where == "hand.om"


@pytest.mark.parametrize("number", [100000, 107002, 145013, 200000, 507009, 507013, 507033, 500002])
def test_known_codes_have_a_meaning_and_a_fix(number: int) -> None:
    known = explain(number)
    assert known.number == number
    assert known.fix
    assert "not a code" not in known.meaning


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert "not a code" in explain(424242).meaning
    assert "424242" in str(device_error("rt.malloc", 424242))


def test_without_pyacl_the_fix_is_to_source_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    with pytest.raises(MissingExtraError) as caught:
        load_acl()
    assert caught.value.fix and "set_env.sh" in caught.value.fix
    assert "--backend simulator" in caught.value.fix


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "raise ImportError('libascendcl.so: no such file')",
            "ImportError: libascendcl.so: no such file",
        ),
        ("raise RuntimeError('the driver is older')", "RuntimeError: the driver is older"),
        ("x =", "SyntaxError: invalid syntax"),
    ],
)
def test_a_pyacl_that_does_not_load_is_told_with_the_cause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, why: str
) -> None:
    (tmp_path / "acl.py").write_text(source + "\n")
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeviceError, match="can't be loaded") as caught:
        load_acl()
    assert str(caught.value.why).startswith(why)


def test_a_setting_of_the_simulator_that_makes_no_sense_is_no_broken_pyacl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = "from atlas_hpe_runtime.simulator.child import take_over\ntake_over()\n"
    (tmp_path / "acl.py").write_text(source)
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ATLAS_HPE_SIM_MODE", "usb")
    with pytest.raises(UsageError, match="can't have mode 'usb'"):
        load_acl()


def test_threads_that_load_pyacl_together_get_one_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(module: ModuleType, *, simulated: bool) -> Acl:
        sleep(0.05)
        return Acl(module, simulated=simulated)

    monkeypatch.setitem(sys.modules, "acl", ModuleType("acl"))
    monkeypatch.setattr(api, "Acl", slow)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(lambda _: load_acl(), range(4)))) == 1


def test_after_an_error_in_the_block_that_of_the_release_is_not_told() -> None:
    def refuse() -> None:
        raise DeviceError("not released")

    close_after(ValueError("in the block"), refuse)
    with pytest.raises(DeviceError, match="not released"):
        close_after(None, refuse)


def test_a_package_that_pyacl_needs_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "acl.py").write_text("import a_package_of_cann\n")
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeviceError, match="can't be loaded") as caught:
        load_acl()
    assert "a_package_of_cann" in str(caught.value.why)


def test_a_module_has_one_gate_that_knows_whether_it_is_simulated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, simulated = ModuleType("acl"), ModuleType("acl")
    simulated.__simulated__ = object()  # type: ignore[attr-defined]
    for module, is_simulated in ((real, False), (simulated, True)):
        monkeypatch.setitem(sys.modules, "acl", module)
        assert load_acl() is load_acl()
        assert load_acl().simulated is is_simulated
