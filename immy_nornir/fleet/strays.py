"""Folders of a fleet -> what lies there and is not read, each named with what to try.

`inventory/` is judged by the inventory's own readers. Used by `load`. Levels: an error where what was meant is plain
and would be missed, a warning where it looks as if somebody waits for it, else a note.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath

from immy_nornir.fleet.blackouts import STEM
from immy_nornir.fleet.entries import entries, nearest, other_case, unread, unreadable
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.shapes.files import CLOSED, YAML_ENDINGS, relative_as_named

_FOLDERS = ("inventory", "playbooks", "tasks")
_VARIABLES = ("group_vars", "host_vars")
_SCRIPTS = (".ps1", ".sh")
_BRAKE = "FREEZE"


def stray_problems(root: Path, beside: Collection[Path]) -> list[Problem]:
    """Everything below `root` that looks like a part of the fleet and is not read.

    `beside` are the folders whose group_vars and host_vars count.
    """
    walk = _Walk(root)
    walk.top(frozenset(path.resolve() for path in beside))
    walk.playbooks(root / "playbooks")
    walk.tasks(root / "tasks")
    return walk.problems


def told_once(root: Path, problems: Iterable[Problem]) -> list[Problem]:
    """The problems in order, without those of readers that could not open what is named as odd already.

    What is an error for its reader is one where it is named.
    """
    found = sorted(set(problems))
    named: dict[str, str] = {}
    for one in found:
        if not one.message.startswith(CLOSED):
            named |= dict.fromkeys((one.place.file, *_leads_to(root, one.place.file)), one.place.file)
    closed = [one for one in found if one.message.startswith(CLOSED) and _is_below(one.place.file, named)]
    wrong = {
        named[above] for one in closed if one.level is Level.ERROR for above in _above(one.place.file) if above in named
    }
    return sorted(
        replace(one, level=Level.ERROR) if one.place.file in wrong and _is_odd(one) else one
        for one in found
        if one not in closed
    )


def _is_odd(one: Problem) -> bool:
    """Whether a problem is about a file that cannot be opened, and not about what stands in it."""
    return one.level is Level.WARNING and "not read" in one.message


def _leads_to(root: Path, file: str) -> Iterator[str]:
    path = root / file
    with contextlib.suppress(OSError, RuntimeError):
        if path.is_symlink():
            yield relative_as_named(root, path.parent / path.readlink())


def _is_below(file: str, named: Collection[str]) -> bool:
    return any(above in named for above in _above(file))


def _above(file: str) -> tuple[str, ...]:
    return (file, *(one.as_posix() for one in PurePath(file).parents))


class _Walk:
    """The problems so far; one method for each kind of folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: list[Problem] = []

    def _place(self, path: Path) -> Place:
        return Place(relative_as_named(self._root, path))

    def _listed(self, folder: Path) -> list[Path]:
        """What is visible in a folder and can be read at all; what cannot is told, hidden YAML too."""
        if not folder.is_dir():
            return []
        found = []
        for path in entries(folder, self._place(folder), self.problems):
            hidden = path.name.startswith((".", "__"))
            if hidden and path.suffix.lower() in YAML_ENDINGS:
                self._tell(path, Level.NOTE, "is hidden by its name, and is not read")
            if hidden:
                continue
            wrong = unreadable(path, self._place(path))
            if wrong is None and path.is_file():
                wrong = other_case(path, self._place(path), Level.ERROR)
            if wrong is not None:
                self.problems.append(wrong)
            else:
                found.append(path)
        return found

    def _tell(self, path: Path, level: Level, message: str, advice: str = "") -> None:
        self.problems.extend(unread(path, self._place(path), level, message, advice))

    def top(self, beside: Collection[Path]) -> None:
        """The fleet's own folder: names that are nearly those of its folders, of variables and of the brake."""
        for path in entries(self._root, Place(self._root.as_posix()), self.problems):
            if path.name.startswith("."):
                continue
            if path.stem.lower() == "freeze" and path.name != _BRAKE and not (self._root / _BRAKE).exists():
                self._tell(path, Level.WARNING, "freezes nothing", f"the file that stops every run is called {_BRAKE}")
            if not path.is_dir():
                continue
            if path.name in _VARIABLES and self._root.resolve() not in beside:
                advice = f"variables stand beside the inventory: move it to inventory/{path.name}"
                self._tell(path, Level.WARNING, "nobody reads this folder", advice)
            near = nearest(path.name, [one for one in _FOLDERS if not (self._root / one).exists()])
            if near:
                self._tell(path, Level.WARNING, "nobody reads this folder", near)

    def playbooks(self, folder: Path) -> None:
        """`playbooks/`: YAML files are plays, and there are deployments and variables."""
        dates = "".join(_text(folder / f"{STEM}{ending}") for ending in YAML_ENDINGS)
        for path in self._listed(folder):
            if path.is_file():
                if path.suffix not in YAML_ENDINGS and path.name not in dates:
                    self._tell(path, Level.NOTE, "is no playbook, and is not read")
            elif path.name == "deployments":
                self._deployments(path, {path.resolve()})
            elif path.name not in _VARIABLES:
                near = nearest(path.name, ("deployments", *_VARIABLES))
                level = Level.WARNING if near else Level.NOTE
                self._tell(path, level, "nothing in this folder is read or checked", near or _PLAYBOOKS)

    def _deployments(self, folder: Path, seen: set[Path]) -> None:
        for path in self._listed(folder):
            if path.is_file():
                if path.suffix not in YAML_ENDINGS:
                    self._tell(path, Level.NOTE, "holds no deployments, for its name ends in none of .yml and .yaml")
            elif path.resolve() in seen:
                self._tell(path, Level.WARNING, "leads to a folder that is read already", "remove the link")
            else:
                seen.add(path.resolve())
                self._deployments(path, seen)

    def tasks(self, folder: Path) -> None:
        """`tasks/`: a folder for each kind of item."""
        kinds = {"software": "software", "maintenance": "task"}
        for path in self._listed(folder):
            if path.is_file():
                level = Level.WARNING if path.suffix in (*YAML_ENDINGS, *_SCRIPTS) else Level.NOTE
                self._tell(path, level, "is not read", _ITEMS)
            elif path.name in kinds:
                self._items(path, kinds[path.name])
            elif path.name == "inventory":
                self._facts(path)
            else:
                near = nearest(path.name, (*kinds, "inventory"))
                self._tell(path, Level.WARNING, "nobody reads this folder", near or _ITEMS)

    def _items(self, folder: Path, stem: str) -> None:
        for path in self._listed(folder):
            if path.is_file():
                level = Level.WARNING if path.suffix in (*YAML_ENDINGS, *_SCRIPTS) else Level.NOTE
                advice = f"an item is a folder: {folder.name}/{path.stem}/{stem}.yml"
                self._tell(path, level, "is not read", advice)
                continue
            definitions = [path / f"{stem}{ending}" for ending in YAML_ENDINGS]
            text = "".join(_text(one) for one in definitions)
            self._named_by(path, text, definitions, f"{stem}.yml", {path.resolve()})

    def _facts(self, folder: Path) -> None:
        listed = self._listed(folder)
        definitions = [path for path in listed if path.is_file() and path.suffix in YAML_ENDINGS]
        text = "".join(_text(one) for one in definitions)
        for path in listed:
            if path.is_dir():
                self._tell(path, Level.WARNING, "nobody reads this folder", "facts are files: tasks/inventory/NAME.yml")
            elif path not in definitions and path.name not in text:
                self._unnamed(path, "a file beside it")

    def _named_by(self, folder: Path, text: str, definitions: list[Path], by: str, seen: set[Path]) -> None:
        for path in self._listed(folder):
            if path.is_dir() and path.resolve() not in seen:
                seen.add(path.resolve())
                self._named_by(path, text, definitions, by, seen)
            elif path.is_file() and path not in definitions and path.name not in text:
                self._unnamed(path, by)

    def _unnamed(self, path: Path, by: str) -> None:
        level = Level.WARNING if path.suffix.lower() in (*_SCRIPTS, *YAML_ENDINGS) else Level.NOTE
        self._tell(path, level, "nobody uses this file", f"name it in {by}, or remove it")


_PLAYBOOKS = "playbooks stand in playbooks/ itself, rules in playbooks/deployments/"
_ITEMS = "items stand in tasks/software, tasks/maintenance and tasks/inventory"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""  # whoever reads the definition says it
