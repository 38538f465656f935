"""A word for yes or no means the same everywhere it is read; what is neither is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from immy_nornir.decide.resolve import conditions
from immy_nornir.decide.resolve.conditions import ConditionError, Holds, HoldsNot
from immy_nornir.decide.resolve.host_variables import is_excluded
from immy_nornir.decide.resolve.parameters import fitted
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.inventory.addresses import address_of
from immy_nornir.fleet.load import load_fleet
from immy_nornir.model.inventory import Computer
from immy_nornir.model.items import Parameter, ParameterType
from immy_nornir.model.values import Value
from immy_nornir.session.before.specs import option_value
from immy_nornir.text import templates

from .kit import lint

YES = ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "1")
NO = ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "0")
NEITHER = ("maybe", "2", "-1", "nope", "tru", "none")
WORDS = [*((word, True) for word in YES), *((word, False) for word in NO)]
TASK = "service: {{name: a, state: running}}\nalways: {word}\nparameters: {{p: {{type: boolean, default: {word}}}}}\n"


def _option(word: Value) -> object:
    return option_value("reboots_in_business_hours", word, "here")


def _variable(word: Value) -> object:
    return is_excluded({"immy_excluded": word})


def _condition(word: Value) -> object:
    verdict = conditions.evaluate("word", {"word": word}, {})
    assert isinstance(verdict, Holds | HoldsNot)
    return isinstance(verdict, Holds)


def _filter(word: Value) -> object:
    return templates.expand("{{ word | bool }}", {"word": word})


def _parameter(word: Value) -> object:
    return fitted(Parameter("p", ParameterType.BOOLEAN), word)


def _connection(word: Value) -> object:
    address = address_of(Computer("pc", "t", (), {"ansible_connection": "ssh", "ansible_host_key_checking": word}))
    return address.settings["ansible_host_key_checking"]


READERS = {
    "option": _option,
    "variable": _variable,
    "condition": _condition,
    "filter": _filter,
    "parameter": _parameter,
    "connection": _connection,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("word", "meant"), [*WORDS, (True, True), (False, False), (1, True), (0, False)])
def test_every_reader_takes_the_same_words(reader: str, word: Value, meant: bool) -> None:
    assert READERS[reader](word) is meant


@pytest.mark.parametrize("reader", [name for name in READERS if name != "variable"])
@pytest.mark.parametrize("word", [*NEITHER, "", 2, 0.5])
def test_no_reader_guesses_what_is_neither(reader: str, word: Value) -> None:
    with pytest.raises(ImmyError, match=r"neither yes nor no|is boolean"):
        READERS[reader](word)


@pytest.mark.parametrize(("word", "meant"), WORDS)
def test_files_of_the_fleet_take_them_too(tmp_path: Path, word: str, meant: bool) -> None:
    files = {"tasks/maintenance/x/task.yml": TASK.format(word=word)}
    assert not [line for line in lint(tmp_path, files) if "error" in line]
    loaded, _ = load_fleet(tmp_path)
    for task in loaded.library.items["task/x"].values():
        assert task.always is meant  # type: ignore[union-attr]  # it is a task


@pytest.mark.parametrize("word", NEITHER)
def test_a_flag_of_a_file_that_is_neither_is_an_error_at_its_place(tmp_path: Path, word: str) -> None:
    found = lint(tmp_path, {"tasks/maintenance/x/task.yml": TASK.format(word=word)})
    assert any(line.startswith("tasks/maintenance/x/task.yml:2:9: error:") for line in found), found
    assert any("task.yml:3:" in line and "is boolean" in line for line in found), found


INVENTORY = (
    "tenants:\n  vars:\n    {name}: {value}\n  children:\n    red: {{hosts: {{r1: {{ansible_connection: {kind}}}}}}}\n"
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("immy_excluded", "winrm"),
        ("immy_onboarding", "winrm"),
        ("immy_allow_plain_basic", "winrm"),
        ("immy_allow_local_reboot", "local"),
        ("ansible_become", "ssh"),
        ("ansible_host_key_checking", "ssh"),
        ("ansible_winrm_send_cbt", "winrm"),
    ],
)
def test_a_variable_that_is_neither_is_an_error_at_its_place(tmp_path: Path, name: str, kind: str) -> None:
    text = INVENTORY.format(name=name, value="'maybe'", kind=kind)
    found = lint(tmp_path, {"inventory/computers.yml": text})
    wrong = [line for line in found if line.startswith("inventory/computers.yml:3:5: error:")]
    assert len(wrong) == 1, found
    assert "neither yes nor no" in wrong[0]
    assert "write true or false" in wrong[0]


RESULTS: Mapping[str, Mapping[str, Value]] = {
    "tier": {"tier": "gold"},
    "rooms": {"rooms": ["a"]},
    "size": {"size": 3},
    "site": {"site": {"a": 1}},
    "nothing": {"nothing": None},
    "not tier": {"tier": "gold"},
    "tier or true == true": {"tier": "gold"},
    "'laptop'": {},
    "{{ tier }}": {"tier": "{{ other }}", "other": "gold"},
}


@pytest.mark.parametrize("text", RESULTS)
def test_a_condition_that_has_no_yes_and_no_no_is_an_error(text: str) -> None:
    with pytest.raises(ConditionError, match=r"its result is .*, which is neither yes nor no") as raised:
        conditions.evaluate(text, RESULTS[text], {})
    assert "gold" not in raised.value.message
    assert "compare it" in raised.value.advice


@pytest.mark.parametrize(
    "text", ["tier is defined", "tier == 'gold'", "rooms | length > 0", "'a' in rooms", "(tier or 'x') == 'gold'"]
)
def test_what_compares_or_asks_has_an_answer(text: str) -> None:
    assert isinstance(conditions.evaluate(text, {"tier": "gold", "rooms": ["a"]}, {}), Holds)


def test_lint_tries_conditions_on_the_computers_that_they_are_for(tmp_path: Path) -> None:
    files = {
        "inventory/computers.yml": "tenants:\n  vars: {laptop: 'no'}\n  children:\n"
        "    red: {hosts: {r1: {tier: gold}, r2: {tier: 'yes'}}}\n",
        "tasks/software/x/software.yml": "winget: X\n",
        "playbooks/deployments/d.yml": "- {item: software/x, target: red, where: laptop}\n"
        "- {item: software/x, target: r1, where: tier}\n"
        "- {item: software/x, target: r2, where: tier}\n",
    }
    wrong = [line for line in lint(tmp_path, files) if ": error:" in line]
    assert [line.partition(": ")[0] for line in wrong] == ["playbooks/deployments/d.yml:2:3"], wrong
    assert "on r1" in wrong[0]
    assert "neither yes nor no" in wrong[0]
