"""Our own variables in the words of every inventory: a brake that cannot be read holds."""

from __future__ import annotations

import pytest

from immy_nornir.decide.resolve.host_variables import (
    is_excluded,
    is_onboarding,
    own,
    pins,
    problem_of,
)
from immy_nornir.errors import ImmyError
from immy_nornir.model.values import Value


@pytest.mark.parametrize(
    "value", [True, "true", "True", "yes", "on", "1", 1, "y", "{{ brake }}", "yess", "", "none", 2, "{{ nothing }}"]
)
def test_excluded_is_whoever_is_not_plainly_included(value: Value) -> None:
    assert is_excluded({"immy_excluded": value, "brake": "yes"})


@pytest.mark.parametrize("value", [False, "false", "no", "off", "0", 0, None, "OFF", "{{ brake }}"])
def test_a_plain_no_is_a_no(value: Value) -> None:
    assert not is_excluded({"immy_excluded": value, "brake": "no"})
    assert not is_onboarding({"immy_onboarding": value, "brake": "no"})


def test_onboarding_needs_a_plain_yes() -> None:
    assert is_onboarding({"immy_onboarding": "yes"})
    with pytest.raises(ImmyError, match="neither yes nor no"):
        is_onboarding({"immy_onboarding": "perhaps"})


def test_templates_in_own_variables_are_expanded() -> None:
    assert own({"immy_options": {"reboot": "{{ how }}"}, "how": "force"}, "immy_options") == {"reboot": "force"}


def test_a_pin_is_a_uuid_or_a_map() -> None:
    assert pins("u-1") == {"uuid": "u-1"}
    assert pins({"name": "PC1", "domain": None, "nme": "x"}) == {"name": "PC1"}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("immy_excluded", "yess", "neither yes nor no"),
        ("immy_excluded", "yes", ""),
        ("immy_excluded", "{{ x }}", ""),
        ("immy_identity", {"nme": "x", "uid": "y"}, "knows no 'nme', 'uid'"),
        ("immy_identity", {"uuid": "x"}, ""),
        ("immy_identity", 5, "neither a uuid nor a map"),
        ("immy_tags", 5, "no list of words"),
        ("immy_tags", ["a"], ""),
    ],
)
def test_what_cannot_be_read_is_said(name: str, value: Value, problem: str) -> None:
    said = problem_of(name, value)
    assert (problem in said) if problem else said == ""
