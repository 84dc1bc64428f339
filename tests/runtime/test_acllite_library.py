"""What AclLite prints and returns, made into words."""

from __future__ import annotations

import threading
from typing import Optional

import pytest
import standin_acllite

from atlas_hpe.errors import DeviceError
from atlas_hpe_runtime.acl.codes import explain
from atlas_hpe_runtime.acllite.library import ACLLITE_LOCK, call_acllite


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("acl.rt.malloc failed ret_int=200000", 200000),
        ("Malloc host memory failed, error: 200000", 200000),
        ("set_dynamic_batch_size failed, ret = 145013", 145013),
        ("Execute model failed for acl.mdl.execute error 507011", 507011),
        ("Input[0] size: 150528 not equal om size: 200000", None),
    ],
)
def test_codes_are_explained_and_sizes_are_not_taken_for_codes(
    said: str, code: Optional[int]
) -> None:
    def fail() -> None:
        standin_acllite.log_error(said)

    with pytest.raises(DeviceError, match="failed at a test") as caught:
        call_acllite("a test", fail)
    expected = "" if code is None else f"; code {code}: {explain(code).meaning}"
    assert str(caught.value.why) == f"it returned None; {said}{expected}"


def test_other_threads_keep_their_standard_output(capsys: pytest.CaptureFixture) -> None:
    def speak() -> bool:
        thread = threading.Thread(target=standin_acllite.say, args=("data of another thread",))
        thread.start()
        thread.join()
        standin_acllite.say("chatter of AclLite")
        return True

    with ACLLITE_LOCK:
        assert call_acllite("a test", speak)
    assert capsys.readouterr().out == "data of another thread\n"
