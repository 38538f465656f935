"""Sources of an inventory (files, folders, lists like `pc1,pc2,`) -> the draft, in Ansible's order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from immy_nornir.decide.resolve.patterns import split_port
from immy_nornir.fleet.inventory.draft import NOTHING, Draft
from immy_nornir.fleet.inventory.ini_files import IniReader
from immy_nornir.fleet.inventory.script_output import ScriptReader, is_script_output
from immy_nornir.fleet.inventory.strays import no_source, odd_source, passed_over
from immy_nornir.fleet.inventory.values import Reading
from immy_nornir.fleet.inventory.yaml_files import YamlReader, root_of
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.values import VAULT_HEADER
from immy_nornir.text.files import read_file
from immy_nornir.text.yaml import MappingNode, is_beyond

_IGNORED = re.compile(
    r"^\.|^(?:host_vars|group_vars|vars_plugins)$|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
_YAML_ENDINGS = (".yml", ".yaml", ".json")
_PROGRAM_ENDINGS = (".exe", ".bat", ".cmd", ".ps1", ".py", ".sh", ".rb", ".pl")
_PROGRAM = "inventory scripts (dynamic inventories) are not supported yet"
_PROGRAM_ADVICE = "save what it prints as a YAML inventory, or move the script out of the inventory"


class SourcesReader:
    """Reads sources one after another into one draft."""

    def __init__(self, draft: Draft, reading: Reading) -> None:
        self._draft = draft
        self._reading = reading
        self._yaml = YamlReader(draft, reading)
        self._open: list[Path] = []
        self._sealed = ""

    def read(self, sources: Sequence[Path]) -> list[Path]:
        """All sources; returns the folders whose group_vars and host_vars count, in order."""
        beside: list[Path] = []
        for source in sources:
            exists = _exists(source)
            if not exists and "," in str(source):
                self._list(str(source))
                continue
            beside.append(source if source.is_dir() else source.parent)
            if exists:
                self._path(source)
            else:
                self._draft.error(
                    Place(str(source)), "there is no such inventory", "name a file or folder, or a list like 'pc1,pc2,'"
                )
        return beside

    def _list(self, text: str) -> None:
        for part in text.split(","):
            entry = part.strip()
            if entry:
                split = split_port(entry)
                name, port = split if split is not None and "[" not in split[0] else (entry, None)
                self._draft.add_computers([name], port, "ungrouped", NOTHING)

    def _path(self, path: Path) -> None:
        if not path.is_dir():
            self._file(path)
            return
        real = path.resolve()
        if real in self._open:
            self._draft.error(Place(str(path)), "this folder contains itself through a link", "remove the link")
            return
        self._open.append(real)
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except OSError as problem:
            self._draft.error(
                Place(str(path)), f"cannot be read: {(problem.strerror or '').lower()}", "check the permissions"
            )
            names = []
        for name in names:
            entry = path / name
            if _IGNORED.search(name):
                passed_over(entry, self._draft)
            elif not no_source(entry, self._draft):
                odd_source(entry, self._draft)
                self._path(entry)
        self._open.pop()

    def _file(self, path: Path) -> None:
        file = str(path)
        try:
            data = read_file(path)
        except OSError as problem:
            self._draft.error(
                Place(file), f"cannot be read: {(problem.strerror or '').lower()}", "check the permissions"
            )
            return
        if data.startswith((b"#!", b"\x7fELF", b"MZ\x90")) or path.suffix.lower() in _PROGRAM_ENDINGS:
            self._draft.error(Place(file), _PROGRAM, _PROGRAM_ADVICE)
        elif data.startswith(VAULT_HEADER.encode()):
            self._encrypted(path, data)
        else:
            self._text(path, data)

    def _encrypted(self, path: Path, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        opened = self._draft.opened(text, str(path))
        if isinstance(opened, str):
            self._sealed = text
            self._text(path, opened.encode())
            self._sealed = ""

    def _text(self, path: Path, data: bytes) -> None:
        file, ending = str(path), path.suffix.lower()
        if ending == ".toml":
            self._draft.error(Place(file), "TOML inventories are not supported", "write it as YAML or INI")
        elif path.suffix == "" or path.suffix in _YAML_ENDINGS:
            self._yaml_or_ini(path, data)
        else:
            self._ini(file, data, self._draft)

    def _yaml_or_ini(self, path: Path, data: bytes) -> None:
        """YAML first; what is none is tried as INI, as Ansible does, and its problems are those of the likelier."""
        file = str(path)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            self._ini(file, data, self._draft)
            return
        root, problems, is_json = root_of(text, file)
        if is_beyond(problems):
            self._draft.problems.extend(problems)
            return
        if isinstance(root, MappingNode) and root.value:
            self._draft.problems.extend(problems)
            self._mapping(root, file, is_json=is_json)
            return
        trial = Draft()
        self._ini(file, data, trial)
        wrong = [problem for problem in trial.problems if problem.level is Level.ERROR]
        if wrong and (path.suffix in _YAML_ENDINGS or text.lstrip().startswith("---") or is_json):
            self._draft.problems.extend(problems or [self._not_groups(file)])
        else:
            self._ini(file, data, self._draft)

    def _mapping(self, root: MappingNode, file: str, *, is_json: bool) -> None:
        self._reading.begin(file, is_json=is_json, sealed=self._sealed)
        pairs = self._reading.pairs(root)
        if "plugin" in pairs and self._reading.value(pairs["plugin"][1]):
            self._draft.error(
                self._reading.place(pairs["plugin"][0]),
                "configurations of Ansible's inventory plugins are not supported",
                "save what ansible-inventory --list --export -y prints as an inventory, or move the file out",
            )
            return
        if is_json and is_script_output(pairs):
            ScriptReader(self._draft, self._reading).read(pairs)
        else:
            self._yaml.read(pairs)

    def _not_groups(self, file: str) -> Problem:
        return Problem(
            Place(file), Level.ERROR, "this is not a mapping of groups", "begin with 'all:' and 'hosts:' below it"
        )

    def _ini(self, file: str, data: bytes, draft: Draft) -> None:
        lines, wrong = _lines(data)
        if wrong is not None:
            draft.error(Place(file, wrong), "this is not UTF-8 text", "save the file as UTF-8")
            return
        if data.count(b"\0"):
            draft.error(Place(file), "this is no text", _PROGRAM_ADVICE)
            return
        reading = self._reading if draft is self._draft else Reading(draft)
        reading.sealing(self._sealed)
        IniReader(draft, reading, file).read(lines)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a long list of names is no possible name of a file
        return False


def _lines(data: bytes) -> tuple[list[str], int | None]:
    """The lines, or the number of the first that is not UTF-8; comments may be anything."""
    try:
        return data.decode("utf-8-sig").splitlines(), None
    except UnicodeDecodeError:
        lines = []
        for number, line in enumerate(data.splitlines(), 1):
            try:
                lines.append("" if line[:1] in (b";", b"#") else line.decode())
            except UnicodeDecodeError:
                return [], number
        return lines, None
