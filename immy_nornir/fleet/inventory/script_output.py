"""What an inventory script prints with --list, saved as JSON -> groups and computers in the draft.

The form is that of Ansible's guide "Developing dynamic inventory": groups are lists of computers, or maps with `hosts`,
`vars` and `children` (lists; a map counts by its keys); `_meta: {hostvars: ...}` has the computers' variables. It is
also what `ansible-inventory --list` prints. Not here: running scripts.
"""

from __future__ import annotations

from collections.abc import Mapping

from immy_nornir.fleet.inventory.draft import NOTHING, Draft, Variables
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.text.yaml import STR, MappingNode, Node, ScalarNode, SequenceNode

_META = "_meta"
_SECTIONS = ("hosts", "vars", "children")
Pairs = Mapping[str, tuple[Node, Node]]


def is_script_output(pairs: Pairs) -> bool:
    """Whether the root of a JSON file has what only a script prints: `_meta`, or lists where a file has maps."""
    return _META in pairs or any(_has_lists(node) for _, node in pairs.values())


def _has_lists(node: Node) -> bool:
    if not isinstance(node, MappingNode):
        return isinstance(node, SequenceNode)
    sections = {key.value: child for key, child in node.value if isinstance(key, ScalarNode)}
    return any(isinstance(sections.get(name), SequenceNode) for name in ("hosts", "children"))


class ScriptReader:
    """Reads one file, which the reading has begun."""

    def __init__(self, draft: Draft, reading: Reading) -> None:
        self._draft = draft
        self._reading = reading

    def read(self, pairs: Pairs) -> None:
        """All groups, then the variables of their computers."""
        for name, (key, node) in pairs.items():
            if name != _META:
                self._group(name, key, node)
        meta = pairs.get(_META)
        if meta is not None and isinstance(meta[1], MappingNode):
            self._computers(self._reading.pairs(meta[1]).get("hostvars"))

    def _group(self, name: str, key: Node, node: Node) -> None:
        draft, reading = self._draft, self._reading
        if not name:
            draft.error(reading.place(key), "the name of a group is empty", "write a name")
            return
        group = draft.group(name)
        if isinstance(node, SequenceNode):
            self._hosts(name, node)
            return
        if not isinstance(node, MappingNode):
            draft.error(
                reading.place(node), f"the group '{name}' is neither a list nor a map", 'write {"hosts": [...]}'
            )
            return
        pairs = reading.pairs(node)
        if pairs and not any(section in pairs for section in _SECTIONS):
            # A script's word for one computer of this name with these variables, as Ansible reads it.
            draft.add_computers([name], None, name, reading.variables(node), reading.spot(key))
            return
        if "vars" in pairs and isinstance(content := pairs["vars"][1], MappingNode):
            draft.set_group_variables(group, reading.variables(content))
        if "hosts" in pairs:
            self._hosts(name, pairs["hosts"][1])
        for child, at in self._names(pairs["children"][1] if "children" in pairs else None):
            draft.group(child)
            draft.add_child(name, child, reading.place(at))

    def _hosts(self, group: str, node: Node) -> None:
        entries = self._reading.pairs(node) if isinstance(node, MappingNode) else {}
        for name, at in self._names(node):
            own = entries[name][1] if name in entries else None
            variables = self._reading.variables(own) if isinstance(own, MappingNode) else NOTHING
            self._draft.add_computers([name], None, group, variables, self._reading.spot(at))

    def _names(self, node: Node | None) -> list[tuple[str, Node]]:
        """The names of a list, or the keys of a map."""
        if isinstance(node, MappingNode):
            return [(name, key) for name, (key, _) in self._reading.pairs(node).items()]
        if node is None or (isinstance(node, ScalarNode) and node.tag != STR):
            return []
        found: list[tuple[str, Node]] = []
        for child in node.value if isinstance(node, SequenceNode) else [node]:
            if isinstance(child, ScalarNode) and child.tag == STR and child.value:
                found.append((child.value, child))
            else:
                self._draft.error(self._reading.place(child), "this is no name", "write names in quotes")
        return found

    def _computers(self, entry: tuple[Node, Node] | None) -> None:
        if entry is None or not isinstance(entry[1], MappingNode):
            return
        for name, (key, node) in self._reading.pairs(entry[1]).items():
            variables = self._reading.variables(node) if isinstance(node, MappingNode) else NOTHING
            computer = self._draft.computers.get(name)
            if computer is None:
                self._draft.warning(
                    self._reading.place(key), f"'{name}' is in no group and is left out", "put it into a group"
                )
            else:
                self._give(name, variables)

    def _give(self, name: str, variables: Variables) -> None:
        computer = self._draft.computers[name]
        computer.variables = variables.over(computer.variables)
