"""What a template becomes has to fit its parameter: inventories hold numbers as texts, and texts as numbers."""

from __future__ import annotations

from typing import Any

import pytest

from immy_nornir.decide.resolve.parameters import fitted
from immy_nornir.errors import ImmyError
from immy_nornir.model.items import Parameter, ParameterType


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("number", "5", 5),
        ("number", "1.5", 1.5),
        ("number", "inf", None),
        ("number", "many", None),
        ("number", True, None),
        ("boolean", "yes", True),
        ("boolean", 1, True),
        ("boolean", 0, False),
        ("boolean", 2, None),
        ("boolean", "perhaps", None),
        ("text", 7, "7"),
        ("secret", 1234, "1234"),
        ("list", ["a"], ["a"]),
        ("list", "a", None),
        ("map", {"a": 1}, {"a": 1}),
    ],
)
def test_a_templates_result_is_fitted_or_refused(kind: str, value: Any, made: Any) -> None:
    parameter = Parameter("p", ParameterType(kind))
    if made is None:
        with pytest.raises(ImmyError, match="the value of 'p'"):
            fitted(parameter, value)
    else:
        assert fitted(parameter, value) == made
        assert type(fitted(parameter, value)) is type(made)


def test_a_choice_is_found_by_its_text() -> None:
    parameter = Parameter("p", ParameterType.SELECT, choices=(1, "b"))
    assert fitted(parameter, "1") == 1
    with pytest.raises(ImmyError, match="the choices are 1, b"):
        fitted(parameter, "c")
