"""Random inventories, from a fixed seed, read by us and by the ansible-core on the PATH."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from immy_nornir.decide.resolve.patterns import select
from immy_nornir.errors import PatternError
from immy_nornir.fleet.inventory.export import ansible_list
from immy_nornir.fleet.inventory.load import load_inventory
from immy_nornir.model.places import Level

from .case_files import PATTERNS, run_ansible, select_by_ansible

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ansible-inventory") is None, reason="ansible-inventory is not on the PATH"),
]

_GROUPS = ("acme", "db", "globex", "lab", "old", "site_a", "tenants", "web")
_COMPUTERS = (
    *("pc1", "pc2", "pc3", "srv.example.com", "10.0.0.1", "pc[01:03]", "n[a:c]", "m[1:9:4]-x", "10.1.0.[1:3]", "a-b"),
    *("lonely:2222", "x[1:2]y[1:2]:5986", "2001:db8::1", "[2001:db8::2]:22"),
)
_NAMES = ("a", "b", "c", "ansible_user", "ansible_port", "ansible_group_priority")
_YAML = (
    *("1", "text", "yes", "no", "22:00", "010", "0x1F", "1.10", "1e3", "null", "~", "[1, two, {k: v}]", "{k: {m: no}}"),
    *("'quoted'", '"{{ tpl }}"', "2024-01-01", "1_000", "+5", "on", "!unsafe 'x {{ y }}'", "0b11", "0o7", ".inf"),
    *("1:30.5", "2001-12-14t21:59:43.10-05:00", "''", "!!str 5", "'yes'"),
)
_INI = (
    *("1", "text", "yes", "True", "None", "22:00", "010", "0x1F", "1.10", "1e3", "'[1, 2]'", "\"{'k': 1}\"", '"a b"'),
    *("a=b", "'q'", "1_000", "(1,2)", "x\\ y", "{{tpl}}", "b'x'", "1j", "[]", "'#x'", "-5", "...", "1+2", "u'x'"),
)


class _Writer:
    """Writes one random inventory; children come later in the alphabet, so that there are no circles."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # the same inventories every time

    def folder(self, path: Path) -> None:
        path.mkdir()
        for number in range(self.random.randint(1, 3)):
            if self.random.random() < 0.5:
                name = f"{self.random.choice('abz')}{number}{self.random.choice(['.yml', '.yaml', ''])}"
                (path / name).write_text(self._yaml())
            else:
                name = f"{self.random.choice('abz')}{number}{self.random.choice(['.ini', '', '.inv'])}"
                (path / name).write_text(self._ini())
        self._variables(path / "group_vars", (*_GROUPS, "all", "ungrouped"))
        self._variables(path / "host_vars", ("pc1", "pc2", "pc01", "10.0.0.1", "srv.example.com"))

    def _variables(self, folder: Path, names: tuple[str, ...]) -> None:
        folder.mkdir()
        for name in self.random.sample(names, 3):
            text = "\n".join(self._pairs(0)) + "\n"
            kind = self.random.choice(["", ".yml", ".yaml", ".json", "/"])
            if kind == ".json":
                (folder / f"{name}.json").write_text('{"a": 1e3, "b": {"c": null, "d": 1.0}}')
            elif kind == "/":
                (folder / name).mkdir()
                (folder / name / "b.yml").write_text(text)
                (folder / name / "a").write_text("\n".join(self._pairs(0)) + "\n")
            else:
                (folder / f"{name}{kind}").write_text(text)

    def _pairs(self, indent: int) -> list[str]:
        names = self.random.sample(_NAMES, self.random.randint(1, 3))
        return [f"{' ' * indent}{name}: {self._value(name, _YAML)}" for name in names]

    def _value(self, name: str, values: tuple[str, ...]) -> str:
        return str(self.random.randint(0, 20)) if name == "ansible_group_priority" else self.random.choice(values)

    def _yaml(self) -> str:
        names = self.random.sample(("all", *_GROUPS), self.random.randint(1, 3))
        return "\n".join(line for name in names for line in self._group(name, 0)) + "\n"

    def _group(self, name: str, indent: int) -> list[str]:
        lines = [f"{' ' * indent}{name}:"]
        inner = " " * (indent + 2)
        later = [group for group in _GROUPS if group > name or name == "all"]
        for section in self.random.sample(("hosts", "vars", "children"), 3):
            if section == "hosts" and self.random.random() < 0.7:
                lines.append(f"{inner}hosts:")
                for computer in self.random.sample(_COMPUTERS, self.random.randint(1, 3)):
                    lines.append(f'{inner}  "{computer}":')
                    lines += self._pairs(indent + 6) if self.random.random() < 0.5 else []
            elif section == "vars" and self.random.random() < 0.5:
                lines += [f"{inner}vars:", *self._pairs(indent + 4)]
            elif section == "children" and later and indent < 12 and self.random.random() < 0.6:
                lines.append(f"{inner}children:")
                for group in self.random.sample(later, min(len(later), self.random.randint(1, 3))):
                    lines += self._group(group, indent + 4)
        return lines

    def _ini(self) -> str:
        groups = self.random.sample(_GROUPS, self.random.randint(1, 4))
        sections = []
        for group in groups:
            computers = self.random.sample(_COMPUTERS[:-2], self.random.randint(0, 3))
            sections.append([f"[{group}]", *(self._line(computer) for computer in computers)])
            if self.random.random() < 0.4:
                names = self.random.sample(_NAMES, 2)
                sections.append([f"[{group}:vars]", *(f"{name} = {self._value(name, _INI)}" for name in names)])
            later = [other for other in groups if other > group]
            if later and self.random.random() < 0.6:
                sections.append([f"[{group}:children]", *self.random.sample(later, self.random.randint(1, len(later)))])
        self.random.shuffle(sections)
        return "top1 a=1\n" + "\n".join(line for section in sections for line in [*section, "; comment"]) + "\n"

    def _line(self, computer: str) -> str:
        names = self.random.sample(_NAMES, self.random.randint(0, 2))
        return " ".join([computer, *(f"{name}={self.random.choice(_INI)}" for name in names), "# comment"])


@pytest.mark.parametrize("seed", range(8))
def test_a_random_inventory_reads_as_in_ansible(seed: int, tmp_path: Path) -> None:
    writer = _Writer(seed)
    sources = [tmp_path / "one", tmp_path / "two"]
    for source in sources:
        writer.folder(source)
    (tmp_path / "elsewhere").mkdir()
    options = [word for source in sources for word in ("-i", str(source))]
    expected = json.loads(run_ansible(["ansible-inventory", "--list", *options], tmp_path / "elsewhere"))
    inventory, problems = load_inventory(sources)
    assert [problem for problem in problems if problem.level is Level.ERROR] == []
    assert json.loads(json.dumps(ansible_list(inventory))) == expected


@pytest.mark.parametrize("seed", range(100, 104))
def test_random_patterns_select_as_in_ansible(seed: int, tmp_path: Path) -> None:
    writer = _Writer(seed)
    source = tmp_path / "inventory"
    writer.folder(source)
    choose = writer.random.choice
    patterns = [f"{choose(PATTERNS)}{choose([',', ':'])}{choose(['', '!', '&'])}{choose(PATTERNS)}" for _ in range(60)]
    inventory, _ = load_inventory([source])
    for pattern, expected in zip(patterns, select_by_ansible([str(source)], patterns, tmp_path), strict=True):
        try:
            selected = select(inventory, pattern)
        except PatternError:
            continue
        if expected is not None and not any(sign in pattern for sign in "[-"):
            # Ansible's order of groups three levels down is that of a set; slices depend on it.
            assert sorted(selected) == sorted(expected), pattern
