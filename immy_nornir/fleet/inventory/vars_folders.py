"""group_vars/ and host_vars/ folders -> variables of a group or computer, as Ansible finds them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from immy_nornir.fleet.entries import entries
from immy_nornir.fleet.inventory.draft import NOTHING, Draft, Variables
from immy_nornir.fleet.inventory.strays import EXTENSIONS, unread_below, unread_variables
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.fleet.inventory.yaml_files import root_of
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.values import VAULT_HEADER
from immy_nornir.text.files import is_odd, read_file
from immy_nornir.text.yaml import NULL, MappingNode, ScalarNode


class VariableFolder:
    """One `group_vars` or `host_vars` folder; each name's files are read once, when asked for."""

    def __init__(self, folder: Path, draft: Draft, reading: Reading) -> None:
        self._folder = folder
        self._draft = draft
        self._reading = reading
        self._known: dict[str, Variables] = {}
        self._names: frozenset[str] = frozenset()
        if folder.is_dir():
            try:
                self._names = frozenset(path.name for path in folder.iterdir())
            except OSError as problem:
                _unreadable(draft, folder, problem)
        elif folder.exists():
            draft.warning(Place(str(folder)), f"{folder.name} is not a folder and is left out", "make it a folder")

    def of(self, name: str) -> Variables:
        """The variables of a group or computer; nothing when it has no file."""
        if not self._names or name.startswith("/"):
            return NOTHING
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def name_unread(self, names: Collection[str], what: str) -> None:
        """Tell what lies here and is read for none of `names`, which are all groups or all computers."""
        unread_variables(self._folder, names, what, self._draft)

    def _read(self, name: str) -> Variables:
        for extension in EXTENSIONS:
            if name + extension not in self._names and "/" not in name:
                continue
            path = self._folder / (name + extension)
            if path.is_dir():
                result = NOTHING
                for file in _files_below(path, self._draft, {path.resolve()}):
                    result = read_variables(file, self._draft, self._reading).over(result)
                return result
            if path.is_file() or is_odd(path):
                return read_variables(path, self._draft, self._reading)
        return NOTHING


def _files_below(folder: Path, draft: Draft, seen: set[Path]) -> list[Path]:
    found: list[Path] = []
    for path in entries(folder, Place(str(folder)), draft.problems):
        if unread_below(path, draft):
            continue
        if path.is_file() or is_odd(path):
            found.append(path)
        elif path.resolve() in seen:
            draft.warning(Place(str(path)), "leads to a folder that is read already", "remove the link")
        else:
            seen.add(path.resolve())
            found.extend(_files_below(path, draft, seen))
    return found


def read_variables(path: Path, draft: Draft, reading: Reading) -> Variables:
    """One file of variables; its problems go to the draft."""
    file = str(path)
    try:
        text = read_file(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        _unreadable(draft, path, problem)
        return NOTHING
    sealed = ""
    if text.startswith(VAULT_HEADER):
        opened = draft.opened(text, file)
        if isinstance(opened, Problem):
            return Variables(unread=(opened,))
        sealed, text = text, opened
    node, problems, is_json = root_of(text, file)
    draft.problems.extend(problems)
    if node is None or (isinstance(node, ScalarNode) and node.tag == NULL):
        return NOTHING
    reading.begin(file, is_json=is_json, sealed=sealed)
    if not isinstance(node, MappingNode):
        if any(problem.level is Level.ERROR for problem in problems):
            return NOTHING
        draft.error(reading.place(node), "this is not a mapping of variables", "write one 'name: value' a line")
        return NOTHING
    return reading.variables(node)


def _unreadable(draft: Draft, path: Path, problem: Exception) -> None:
    if isinstance(problem, UnicodeDecodeError):
        draft.error(Place(str(path)), "this is not UTF-8 text", "save the file as UTF-8")
    else:
        reason = getattr(problem, "strerror", None) or "unknown reason"
        draft.error(Place(str(path)), f"cannot be read: {reason.lower()}", "check the permissions")
