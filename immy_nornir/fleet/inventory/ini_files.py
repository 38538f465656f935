"""An INI inventory file -> groups and computers in the draft, as Ansible's `ini` inventory reads it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from immy_nornir.decide.resolve.patterns import split_port
from immy_nornir.fleet.inventory.draft import Draft, Variables, spot
from immy_nornir.fleet.inventory.host_names import BadNameError, TooManyNamesError, expand
from immy_nornir.fleet.inventory.values import Reading, is_password_name, warn_clear_password
from immy_nornir.model.places import Place
from immy_nornir.model.values import Value

_SECTION = re.compile(r"^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:\#.*)?$")
_GROUP = re.compile(r"^([^:\]\s]+)\s*(?:\#.*)?$")
_NEEDS_SHLEX = re.compile(r"[^\x21-\x7e \t]|['\"\\#]")


@dataclass(slots=True)
class _Pending:
    """A group that is named before it is declared."""

    state: str
    place: Place
    parents: list[str]


class IniReader:
    """Reads the lines of one file."""

    def __init__(self, draft: Draft, reading: Reading, file: str) -> None:
        self._draft = draft
        self._reading = reading
        self._file = file
        self._base = draft.spots.base(file)
        self._pending: dict[str, _Pending] = {}
        self._group = "ungrouped"
        self._state = "hosts"

    def read(self, lines: list[str]) -> None:
        """All lines, with all their problems."""
        for number, raw in enumerate(lines, 1):
            line = raw.strip()
            if line and line[0] not in ";#":
                self._line(line, Place(self._file, number, len(raw) - len(raw.lstrip()) + 1))
        for name, pending in self._pending.items():
            if pending.state == "vars":
                self._draft.error(
                    pending.place,
                    f"the section [{name}:vars] belongs to the group '{name}', which is nowhere declared in this file",
                    f"add a section [{name}] or [{name}:children]",
                )
            else:
                self._draft.error(
                    pending.place,
                    f"the section [{pending.parents[-1]}:children] names the group '{name}', "
                    "which is nowhere declared in this file",
                    f"add a section [{name}], or correct the name",
                )

    def _line(self, line: str, place: Place) -> None:
        section = _SECTION.match(line)
        if section:
            self._begin(section[1], section[2] or "hosts", place)
        elif line.startswith("[") and line.endswith("]"):
            self._draft.error(
                place,
                f"the section {line} cannot be read",
                "write [name], [name:vars] or [name:children], without spaces",
            )
        elif self._state == "hosts":
            self._computers(line, place)
        elif self._state == "vars":
            self._variable(line, place)
        elif self._state == "children":
            self._child(line, place)

    def _begin(self, group: str, state: str, place: Place) -> None:
        self._group, self._state = group, state
        if state not in ("hosts", "vars", "children"):
            self._draft.error(
                place, f"the section [{group}:{state}] has an unknown kind", "the kinds are vars and children"
            )
            return
        if group not in self._draft.groups:
            if state == "vars" and group not in self._pending:
                self._pending[group] = _Pending(state, place, [])
            self._draft.group(group)
        if group in self._pending and state != "vars":
            if self._pending[group].state == "children":
                self._adopt(group, place)
            else:
                del self._pending[group]

    def _adopt(self, group: str, place: Place) -> None:
        for parent in self._pending[group].parents:
            self._draft.add_child(parent, group, place)
        del self._pending[group]

    def _child(self, line: str, place: Place) -> None:
        found = _GROUP.match(line)
        if not found:
            self._draft.error(place, "this is not the name of a group", f"[{self._group}:children] has one name a line")
            return
        name = found[1]
        if name in self._draft.groups:
            self._draft.add_child(self._group, name, place)
        elif name in self._pending:
            self._pending[name].parents.append(self._group)
        else:
            self._pending[name] = _Pending("children", place, [self._group])

    def _variable(self, line: str, place: Place) -> None:
        name, equals, text = (part.strip() for part in line.partition("="))
        if not equals:
            self._draft.error(place, "this is not 'name=value'", f"[{self._group}:vars] has one variable a line")
            return
        self._draft.set_group_variables(self._draft.groups[self._group], self._variables([(name, text)], place))

    def _variables(self, pairs: list[tuple[str, str]], place: Place) -> Variables:
        values: dict[str, Value] = {}
        spots: dict[str, int] = {}
        at = spot(self._base, place.line, place.column)
        for name, text in pairs:
            found = self._reading.literal(text, place)
            value = values[name] = self._reading.closed_literal(name, found, text, place)
            spots[name] = at
            if isinstance(value, str) and is_password_name(name):
                warn_clear_password(self._draft, place, name, value)
        return Variables(values, spots)

    def _computers(self, line: str, place: Place) -> None:
        try:
            tokens = shlex.split(line, comments=True) if _NEEDS_SHLEX.search(line) else line.split()
        except ValueError as problem:
            self._draft.error(place, f"the line cannot be split: {str(problem).lower()}", "close the quotes")
            return
        if not tokens or not tokens[0]:
            self._draft.error(place, "the name of a computer is empty", "write a name")
            return
        try:
            names, port = expand(tokens[0], self._draft.room)
        except TooManyNamesError as problem:
            self._draft.overflow(place, str(problem))
            return
        except BadNameError as problem:
            self._draft.error(place, str(problem), "write for example pc[001:200]")
            return
        if not self._is_name(tokens[0], names, port, place):
            return
        pairs = []
        for token in tokens[1:]:
            name, equals, text = token.partition("=")
            if not equals:
                self._draft.error(
                    place,
                    f"after '{tokens[0]}' stands a word that is not name=value",
                    "put quotes around values with spaces",
                )
                return
            pairs.append((name, text))
        at = spot(self._base, place.line, place.column)
        self._draft.add_computers(names, port, self._group, self._variables(pairs, place), at)

    def _is_name(self, token: str, names: list[str], port: int | None, place: Place) -> bool:
        if token.endswith(":") and port is None and split_port(token) is None:
            self._draft.error(
                place, f"'{token}' ends in ':' without a port", "write name:port; in YAML files end in .yml"
            )
            return False
        if any(name.strip() == "---" for name in names):
            self._draft.error(
                place, "'---' begins a YAML file, but this is read as INI", "let the file's name end in .yml"
            )
            return False
        return True
