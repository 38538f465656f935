"""The inventory variable `immy_lab` becomes a spec, or says everything that is wrong with it."""

from __future__ import annotations

import pytest

from immy_nornir.errors import UsageError
from immy_nornir.lab import Misbehaviour, spec_from_variables
from immy_nornir.model.values import SecretRef, Value


def test_a_computer_without_the_variable_is_an_ordinary_one() -> None:
    spec = spec_from_variables("pc1", "127.0.0.1", {})
    assert (spec.name, spec.address, spec.misbehave, spec.software) == ("pc1", "127.0.0.1", (), ())


def test_every_kind_of_field_is_read() -> None:
    lab: Value = {
        "users": ["anna"],
        "build": 26100,
        "memory_gb": 8,
        "software": [{"name": "A", "version": "1"}],
        "exits": {"software/a": [1618, 0]},
        "misbehave": "noise",
    }
    spec = spec_from_variables("pc1", "127.0.0.1", {"immy_lab": lab})
    assert (spec.users, spec.build, spec.memory_gb) == (("anna",), "26100", 8)
    assert (spec.software, spec.exits) == (({"name": "A", "version": "1"},), {"software/a": [1618, 0]})
    assert spec.misbehave == (Misbehaviour.NOISE,)


@pytest.mark.parametrize(
    ("lab", "words"),
    [
        ({"sofware": [], "memory": 5}, ["'sofware', did you mean 'software'", "'memory'"]),
        ({"misbehave": ["of"]}, ["'of', did you mean 'off'"]),
        ({"misbehave": ["zzz"]}, ["unknown misbehaviour 'zzz' (known: off"]),
        ({"memory_gb": "much"}, ["memory_gb: has to be a number, not text"]),
        ({"software": "7zip"}, ["software: has to be a list of maps"]),
        ({"registry": []}, ["registry: has to be a map, not a list"]),
        ({"users": [1]}, ["users: has to be a list of words"]),
        ({"values": {"a": SecretRef("env:X")}}, ["a secret has no place in immy_lab"]),
        ({"password": "x"}, ["unknown key 'password'"]),
        ([], ["immy_lab has to be a map, not a list"]),
    ],
)
def test_mistakes_are_named_with_the_computer(lab: Value, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        spec_from_variables("pc1", "127.0.0.1", {"immy_lab": lab if lab else [1]})
    assert str(caught.value).startswith("pc1: ")
    for word in words:
        assert word in str(caught.value)


def test_a_password_is_not_in_the_specs_repr() -> None:
    assert "geheim" not in repr(spec_from_variables("pc1", "127.0.0.1", {}, password="geheim"))
