"""Whose computer it is: tables of sightings and of what the fleet says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from immy_nornir.decide.resolve import conditions
from immy_nornir.decide.resolve.persons import is_listed, is_same, is_service, may_be_same
from immy_nornir.decide.resolve.primary_user import Said, of_computer, primary_user, said_of
from immy_nornir.model.facts import LogonState, Sighting
from immy_nornir.model.places import Place

DESK = {"role": "workstation", "chassis": "desktop"}
ACTIVE, LOCKED, GONE = LogonState.ACTIVE, LogonState.LOCKED, LogonState.DISCONNECTED


def seen(*days: str, state: LogonState = ACTIVE) -> tuple[Sighting, ...]:
    """Sightings of these users, one text for each day from the first on, names parted by blanks."""
    return tuple(
        Sighting(user, f"2026-03-{number:02}", number * 100.0, state)
        for number, names in enumerate(days, 1)
        for user in names.split()
    )


LEARNED: Mapping[str, tuple[tuple[Sighting, ...], str | None, bool, str]] = {
    "nobody was seen": ((), None, False, "nobody was seen there yet"),
    "four days are too few": (seen(*["ann"] * 4), None, False, "not known yet: ann has 4 of the last 4 sightings"),
    "five days are enough": (seen(*["ann"] * 5), "ann", True, "learned: ann has 5 of the last 5 sightings"),
    "five and twice the runner-up's": (seen(*["ann"] * 5, "bob", "bob", "cy", "cy", "di"), "ann", True, "cy 2"),
    "six to three and one": (seen(*["ann"] * 6, *["bob"] * 3, "cy"), "ann", True, "6 of the last 10"),
    "six to four is shared": (seen(*["ann"] * 6, *["bob"] * 4), None, True, "it is shared"),
    "five to three and two is shared": (seen(*["ann"] * 5, *["bob"] * 3, "cy", "cy"), None, True, "it is shared"),
    "five to three may still turn out": (seen(*["ann"] * 5, *["bob"] * 3), None, False, "not known yet"),
    "four of ten are too few": (seen(*["ann"] * 4, *"bcdefg"), None, True, "ann has 4 of the last 10"),
    "two at a time is shared": (seen(*["ann bob"] * 9), None, True, "it is shared"),
    "only the newest ten count": (seen(*["bob"] * 40, *["ann"] * 7), "ann", True, "7 of the last 10"),
    "who came long ago and left": (seen(*["ann"] * 30, *["bob"] * 7), "bob", True, "ann 3"),
    "one person in two spellings": (seen(*["CORP\\ann", "corp\\Ann"] * 3), "corp\\Ann", True, "6 of the last 6"),
    "one name in two domains is two": (seen(*["A\\ann", "B\\ann"] * 5), None, True, "B\\ann has 5"),
    "services do not count": (
        seen(*["ann root Window\\DWM-1 NT\\PC$ CORP\\Administrator"] * 5),
        "ann",
        True,
        "5 of the last 5",
    ),
}


@pytest.mark.parametrize("case", LEARNED)
def test_it_is_who_has_five_of_the_last_ten_sightings_and_twice_the_runner_up(case: str) -> None:
    sightings, name, known, why = LEARNED[case]
    for given in (sightings, sightings[::-1]):
        found = primary_user(given, DESK, Said())
        assert (found.name, found.known) == (name, known), found.why
        assert why in found.why
        assert found.fact == (name if name else "" if known else None)
        assert sum(one.times for one in found.evidence) <= 10


def test_a_forgotten_disconnected_session_counts_only_on_days_on_which_nobody_else_was_there() -> None:
    away = seen(*["adm"] * 12, state=GONE)
    assert primary_user((*seen(*["ann"] * 12), *away), DESK, Said()).name == "ann"
    assert primary_user((*seen(*["ann"] * 12, state=LOCKED), *away), DESK, Said()).name == "ann"
    assert primary_user(away, DESK, Said()).name == "adm"


FLEET: Mapping[str, tuple[dict[str, Any], dict[str, Any], str | None, str]] = {
    "what the fleet says wins": ({"immy_primary_user": "bob"}, DESK, "bob", "set by immy_primary_user (hosts.yml:3"),
    "also on a server": ({"immy_primary_user": "bob"}, {"role": "server"}, "bob", "set by immy_primary_user"),
    "by a template": ({"immy_primary_user": "CORP\\{{ who }}", "who": "bob"}, DESK, "CORP\\bob", "set by"),
    "an empty one says that it has none": ({"immy_primary_user": ""}, DESK, None, "says that it has none"),
    "null says nothing": ({"immy_primary_user": None}, DESK, "CORP\\ann", "learned"),
    "a server has none": ({}, {"role": "server"}, None, "it is a server"),
    "a domain controller has none": ({}, {"role": "domain_controller"}, None, "it is a server"),
    "a rack server without a role has none": ({}, {"role": None, "chassis": "server"}, None, "it is a server"),
    "who immy connects as does not count": ({"ansible_user": "ann@corp.example"}, DESK, None, "nobody was seen"),
    "nor without a domain": ({"ansible_winrm_user": "ANN"}, DESK, None, "nobody was seen"),
    "the same name elsewhere is another": ({"ansible_user": "OTHER\\ann"}, DESK, "CORP\\ann", "learned"),
    "who is listed does not count": ({"immy_not_primary": ["adm-*", "an?"]}, DESK, None, "nobody was seen"),
    "nor by one pattern with a domain": ({"immy_not_primary": "corp\\*"}, DESK, None, "nobody was seen"),
    "a list that is none makes it unknown": ({"immy_not_primary": [1]}, DESK, None, "is no list of names"),
    "a template that fails makes it unknown": ({"immy_primary_user": "{{ nix }}"}, DESK, None, "cannot be read"),
    "it was never spoken to": ({}, {}, None, "never spoken to"),
}


@pytest.mark.parametrize("case", FLEET)
def test_what_the_fleet_and_the_computer_say_of_it(case: str) -> None:
    variables, system, name, why = FLEET[case]
    found = of_computer(variables, Place("hosts.yml", 3), system, seen(*["CORP\\ann"] * 7))
    assert found.name == name, found.why
    assert why in found.why


def test_who_does_not_count_is_told_with_why() -> None:
    said = said_of({"ansible_user": "op", "immy_not_primary": ["adm-*"]})
    found = primary_user(seen(*["ann PC\\op adm-x NT\\SYSTEM"] * 5), DESK, said)
    assert dict(found.left_out) == {
        "PC\\op": "the account that immy connects with",
        "adm-x": "listed in immy_not_primary (adm-*)",
        "NT\\SYSTEM": "an account of the system",
    }


@pytest.mark.parametrize(
    ("said", "found", "same", "may_be"),
    [
        ("CORP\\ann", "corp\\ANN", True, True),
        ("ann", "CORP\\ann", True, True),
        (".\\ann", "PC1\\ann", True, True),
        ("ann@corp.example", "CORP\\ann", True, True),
        ("ann@example.com", "CORP\\ann", False, True),
        ("A\\ann", "B\\ann", False, False),
        ("ann@a.example", "ann@b.example", False, False),
        ("ann", "CORP\\anna", False, False),
        ("", "CORP\\", False, False),
    ],
)
def test_two_names_of_one_account(said: str, found: str, same: bool, may_be: bool) -> None:
    assert is_same(said, found) is is_same(found, said) is same
    assert may_be_same(said, found) is may_be_same(found, said) is may_be


@pytest.mark.parametrize(
    "name",
    [
        "NT AUTHORITY\\SYSTEM", "NT-AUTORITÄT\\SYSTEM", "NT SERVICE\\MSSQL", "Window Manager\\DWM-2", "CORP\\PC7$",
        "Guest", "Font Driver Host\\UMFD-0", "IIS APPPOOL\\web", "PC\\Administrateur", "S-1-5-18", "root", "gdm",
    ],
)  # fmt: skip
def test_accounts_of_systems_are_nobodys(name: str) -> None:
    assert is_service(name)
    assert not is_service("CORP\\anna")
    assert not is_listed("CORP\\anna", ["adm-*", "ann"])


@pytest.mark.parametrize(
    ("fact", "verdict"),
    [("CORP\\ann", "Holds"), ("", "HoldsNot"), (None, "Unknown")],
)
def test_a_condition_is_unknown_only_while_nobody_knows_whose_it_is(fact: str | None, verdict: str) -> None:
    facts = {} if fact is None else {"primary_user": fact}
    found = conditions.evaluate("facts.primary_user == 'CORP\\\\ann'", {}, facts)
    assert type(found).__name__ == verdict
