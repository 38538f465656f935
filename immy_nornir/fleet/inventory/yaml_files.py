"""A YAML (or JSON) inventory file -> groups and computers in the draft, as Ansible's `yaml` inventory reads it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from immy_nornir.fleet.inventory.draft import NOTHING, Draft
from immy_nornir.fleet.inventory.host_names import BadNameError, TooManyNamesError, expand
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.model.places import Problem
from immy_nornir.text import json
from immy_nornir.text.yaml import NULL, STR, Dialect, MappingNode, Node, ScalarNode, compose, is_beyond

_SECTIONS = ("hosts", "vars", "children")


def root_of(text: str, file: str) -> tuple[Node | None, list[Problem], bool]:
    """The root node, the problems of the YAML, and whether the file is JSON (then its numbers are JSON's)."""
    node, problems = compose(text, file, Dialect.ANSIBLE)
    if text.lstrip()[:1] not in ("{", "[") or is_beyond(problems):
        return node, problems, False
    try:
        data = json.parse(text)
    except (ValueError, RecursionError):
        return node, problems, False  # YAML's own problems tell more
    if node is None:  # JSON that is no YAML, by its tabs for example: the lines are lost, the values are not
        node, problems = compose(json.line(data), file, Dialect.ANSIBLE)
    return node, problems, True


class YamlReader:
    """Reads inventories whose root is a mapping of groups."""

    def __init__(self, draft: Draft, reading: Reading) -> None:
        self._draft = draft
        self._reading = reading

    def read(self, pairs: Mapping[str, tuple[Node, Node]]) -> None:
        """All groups of a file, which the reading has begun."""
        for name, (key, node) in pairs.items():
            if name in _SECTIONS:
                self._draft.warning(
                    self._reading.place(key),
                    f"'{name}' stands at the top, where names of groups stand",
                    f"write it below a group, for example all: {{{name}: ...}}",
                )
            self._group(name, key, node)

    def _group(self, name: str, key: Node, node: Node) -> bool:
        reading, draft = self._reading, self._draft
        place = reading.place(key)
        if not name or (isinstance(key, ScalarNode) and key.tag != STR):
            draft.error(place, f"the name of the group '{name}' is not text", "put quotes around it")
            return False
        if _is_null(node):
            draft.group(name)
            return True
        if not isinstance(node, MappingNode):
            draft.warning(
                reading.place(node), f"'{name}' is not a group and is left out", "a group has hosts, vars and children"
            )
            return False
        draft.group(name)
        for section, (section_key, content) in reading.pairs(node).items():
            if section not in _SECTIONS:
                self._unknown(name, section, section_key)
            elif not _is_null(content):
                entries = self._entries(content, section, name)
                if entries is not None:
                    self._section(name, section, content, entries)
        return True

    def _section(self, name: str, section: str, content: Node, entries: Mapping[str, tuple[Node, Node]]) -> None:
        if section == "vars":
            if isinstance(content, MappingNode):
                self._draft.set_group_variables(self._draft.groups[name], self._reading.variables(content))
            else:
                what = f"'vars' of the group '{name}' is a text"
                self._draft.error(self._reading.place(content), what, "write one 'name: value' a line")
            return
        for entry, (key, node) in entries.items():
            if section == "hosts":
                self._computers(name, entry, key, node)
            elif self._group(entry, key, node):
                self._draft.add_child(name, entry, self._reading.place(key))

    def _entries(self, content: Node, section: str, group: str) -> Mapping[str, tuple[Node, Node]] | None:
        if isinstance(content, MappingNode):
            return self._reading.pairs(content)
        if isinstance(content, ScalarNode) and content.tag == STR:  # Ansible takes one name without a colon
            return {content.value: (content, ScalarNode(NULL, "", content.start_mark, content.end_mark))}
        self._draft.error(
            self._reading.place(content),
            f"'{section}' of the group '{group}' is not a mapping",
            "write one name a line, each with a colon: 'pc001:'",
        )
        return None

    def _computers(self, group: str, entry: str, key: Node, node: Node) -> None:
        reading, draft = self._reading, self._draft
        if key.tag != STR:
            draft.error(reading.place(key), f"the name of the computer '{entry}' is not text", "put quotes around it")
            return
        try:
            names, port = expand(entry, draft.room)
        except TooManyNamesError as problem:
            draft.overflow(reading.place(key), str(problem))
            return
        except BadNameError as problem:
            draft.error(reading.place(key), str(problem), "write for example pc[001:200] or 'pc1:5986'")
            return
        variables = NOTHING
        if isinstance(node, MappingNode):
            variables = reading.variables(node)
        elif reading.value(node):
            draft.error(
                reading.place(node),
                f"what stands below '{entry}' is not a mapping",
                "write its variables as 'name: value'",
            )
            return
        if not all(names):
            draft.error(reading.place(key), "the name of a computer is empty", "write a name")
            return
        draft.add_computers(names, port, group, variables, reading.spot(key))

    def _unknown(self, group: str, section: str, key: Node) -> None:
        place = self._reading.place(key)
        near = difflib.get_close_matches(section, (*_SECTIONS, "host", "var", "child", "computers"), 1, 0.7)
        if near:
            meant = next(name for name in _SECTIONS if name[0] == near[0][0] or near[0] == "computers")
            self._draft.error(place, f"the group '{group}' has the unknown key '{section}'", f"did you mean '{meant}'?")
        else:
            self._draft.warning(
                place,
                f"the group '{group}' has the unknown key '{section}', which is left out",
                "a group has hosts, vars and children; computers stand below hosts",
            )


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == NULL
