"""Names that are loaded when they are first used."""

from __future__ import annotations

import sys
import types
from typing import Optional

import pytest

from atlas_hpe.errors import MissingExtraError
from atlas_hpe.lazy import lazy_attributes

PACKAGE = "toy_package"
HOMES = {"sqrt": "math", "lost": "no_such_library"}


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType(PACKAGE)
    monkeypatch.setitem(sys.modules, PACKAGE, module)
    return module


def test_a_name_is_loaded_and_kept(package: types.ModuleType) -> None:
    load = lazy_attributes(PACKAGE, HOMES)
    assert not hasattr(package, "sqrt")
    assert load("sqrt") is package.sqrt


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'toy_package' has no attribute 'cbrt'"):
        lazy_attributes(PACKAGE, HOMES)("cbrt")


def test_a_missing_library_is_what_python_says_of_it() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        lazy_attributes(PACKAGE, HOMES)("lost")


def test_a_missing_library_can_be_explained() -> None:
    def explain(error: ModuleNotFoundError) -> Optional[BaseException]:
        return MissingExtraError.for_module(str(error.name), "export", "a toy")

    with pytest.raises(MissingExtraError, match="no_such_library") as caught:
        lazy_attributes(PACKAGE, HOMES, explain_missing=explain)("lost")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_what_has_no_explanation_is_raised_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        lazy_attributes(PACKAGE, HOMES, explain_missing=lambda _error: None)("lost")
