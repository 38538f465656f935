"""Patterns beyond what the case folders compare with Ansible: limits, files, mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from immy_nornir.decide.resolve.patterns import select, unknown
from immy_nornir.errors import PatternError
from immy_nornir.fleet.inventory.load import load_inventory
from immy_nornir.model.inventory import Inventory

FILES = {"names": ["pc2", "", "# note", "  db  "], "empty": [""]}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    path = tmp_path_factory.mktemp("patterns") / "i"
    path.write_text("[web]\npc[1:4]\n[db]\nsql1\npc4\n[empty]\n[site:children]\ndb\nweb\n")
    return load_inventory([path])[0]


def _read(name: str) -> list[str]:
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[name]


@pytest.mark.parametrize(
    ("pattern", "limit", "expected"),
    [
        ("site", None, ["sql1", "pc4", "pc1", "pc2", "pc3"]),
        ("web", "pc2:pc3", ["pc2", "pc3"]),
        ("web", "!pc2", ["pc1", "pc3", "pc4"]),
        ("web", "all[0:1]", ["pc4"]),
        ("@names", None, ["pc2", "sql1", "pc4"]),
        ("web", "@names", ["pc2", "pc4"]),
        ("web", "@empty", []),
        ("web:!@names", None, None),
        ("empty", None, []),
        ("nothing*", None, []),
        ("localhost", None, ["localhost"]),
        ("web,localhost", "localhost", ["localhost"]),
    ],
)
def test_selecting(inventory: Inventory, pattern: str, limit: str | None, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(PatternError):
            select(inventory, pattern, limit, read_file=_read)
    else:
        assert select(inventory, pattern, limit, read_file=_read) == expected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("wbe", "'wbe' is no computer and no group .*did you mean 'web'"),
        ("web:!dbb", "'dbb' is no computer"),
        ("web:&nope1:nope2", "'nope1', 'nope2' are no computers"),
        ("web[9]", "asks for number 9, but 'web' has 4 computers"),
        ("~pc(", "cannot be read: missing"),
        ("", "the pattern is empty"),
        (" , ", "the pattern is empty"),
        ("web:!", "has no name after its sign"),
        ("@gone", "the file 'gone' of the pattern cannot be read: no such file"),
    ],
)
def test_mistakes_are_told_plainly(inventory: Inventory, pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        select(inventory, pattern, read_file=_read)


def test_unknown_names_of_a_pattern_can_be_asked_for(inventory: Inventory) -> None:
    assert unknown(inventory, "web:wbe:!old:&x*:~y.*:pc1:all:localhost:nope[0]") == ["wbe", "old", "nope"]


def test_a_file_of_names_is_read_by_the_caller_only(inventory: Inventory, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("pc1\n")
    with pytest.raises(PatternError, match="names a file"):
        select(inventory, f"@{tmp_path / 'names'}")
