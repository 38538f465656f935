"""group_vars/ and host_vars/ folders -> variables of a group or computer, as Ansible finds them."""

from __future__ import annotations

from pathlib import Path

from immy_nornir.fleet.inventory.draft import NOTHING, Draft, Variables
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.fleet.inventory.yaml_files import root_of
from immy_nornir.model.places import Level, Place
from immy_nornir.text.files import is_odd, read_file
from immy_nornir.text.yaml import NULL, MappingNode, ScalarNode

EXTENSIONS = ("", ".yml", ".yaml", ".json")
VAULT_HEADER = "$ANSIBLE_VAULT"


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

    def _read(self, name: str) -> Variables:
        for extension in EXTENSIONS:
            if name + extension not in self._names and "/" not in name:
                continue
            path = self._folder / (name + extension)
            if path.is_dir():
                result = NOTHING
                for file in self._files_below(path, ()):
                    result = read_variables(file, self._draft, self._reading).over(result)
                return result
            if path.exists() or is_odd(path):
                return read_variables(path, self._draft, self._reading)
        return NOTHING

    def _files_below(self, folder: Path, above: tuple[Path, ...]) -> list[Path]:
        """The files of a folder and of those below it; one that contains itself through a link is named."""
        real = folder.resolve()
        if real in above:
            self._draft.error(Place(str(folder)), "this folder contains itself through a link", "remove the link")
            return []
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        except OSError as problem:
            _unreadable(self._draft, folder, problem)
            return []
        found: list[Path] = []
        for path in entries:
            if path.name.startswith(".") or path.name.endswith("~"):
                continue
            if path.is_dir():
                if not path.suffix:
                    found.extend(self._files_below(path, (*above, real)))
            elif path.suffix in EXTENSIONS and (path.is_file() or is_odd(path)):
                found.append(path)
        return found


def read_variables(path: Path, draft: Draft, reading: Reading) -> Variables:
    """One file of variables; its problems go to the draft."""
    file = str(path)
    try:
        text = read_file(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        _unreadable(draft, path, problem)
        return NOTHING
    if text.startswith(VAULT_HEADER):
        draft.error(
            Place(file),
            "files encrypted with Ansible's vault are not supported yet",
            "decrypt it and write secrets as {secret: env:NAME} or {secret: file:PATH}",
        )
        return NOTHING
    node, problems, is_json = root_of(text, file)
    draft.problems.extend(problems)
    if node is None or (isinstance(node, ScalarNode) and node.tag == NULL):
        return NOTHING
    reading.begin(file, is_json=is_json)
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
