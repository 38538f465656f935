"""Files of a fleet repository -> YAML nodes with their places, and texts of scripts.

First step of loading: `load` lists and opens files here, and the readers of each kind of file take nodes from
here. What cannot be opened or parsed becomes a problem, never an exception. Not here: what the keys mean
(`fields` and the readers), and the inventory's files, which are Ansible's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from immy_nornir.model.items import Language, Script
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.text.files import is_odd, read_file
from immy_nornir.text.yaml import Dialect, MappingNode, Node, ScalarNode, compose, place_of

YAML_ENDINGS = (".yml", ".yaml")
_LANGUAGES = {".ps1": Language.POWERSHELL, ".sh": Language.SH}


@dataclass(frozen=True, slots=True)
class Source:
    """One file being read: its name in places, its folder, and the list that collects all problems."""

    root: Path
    """The fleet's root; scripts must lie below it."""
    path: Path
    file: str
    problems: list[Problem]

    def place(self, node: Node) -> Place:
        """Where a node of this file begins."""
        return place_of(node, self.file)

    def report(self, node: Node | Place, level: Level, message: str, advice: str = "") -> None:
        """Add a problem at a node."""
        place = node if isinstance(node, Place) else self.place(node)
        self.problems.append(Problem(place, level, message, advice))

    def error(self, node: Node | Place, message: str, advice: str = "") -> None:
        """Add an error at a node."""
        self.report(node, Level.ERROR, message, advice)


CLOSED = "cannot be opened"
"""How the problem of a file begins that cannot be opened at all."""


def relative(root: Path, path: Path) -> str:
    """A path as places show it: relative to the fleet, with forward slashes."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):  # elsewhere, or a link that leads to itself
        return relative_as_named(root, path)


def relative_as_named(root: Path, path: Path) -> str:
    """The same by the path's own name, wherever a link of it leads."""
    try:
        return path.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        return path.as_posix()
    except (OSError, RuntimeError):  # a link that leads to itself
        name = path.absolute()
        return (name.relative_to(root.absolute()) if name.is_relative_to(root.absolute()) else path).as_posix()


def is_inside(root: Path, path: Path) -> bool:
    """Whether a path lies below a folder, its links followed; one that leads to itself does where it stands."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return is_inside(root, path.parent) if path.parent != path else False
    except ValueError:  # no name of a file
        return False


def open_yaml(root: Path, path: Path, problems: list[Problem]) -> tuple[Source, Node | None]:
    """One of our own files as a node; None when it is empty or unreadable (then a problem says why)."""
    source = Source(root, path, relative(root, path), problems)
    text = _text(path, Place(source.file), problems)
    if text is None:
        return source, None
    node, found = compose(text, source.file, Dialect.OURS)
    problems.extend(found)
    if node is None:
        if not found:
            problems.append(Problem(Place(source.file), Level.WARNING, "the file is empty"))
        return source, None
    endless = _endless(node, set(), set())
    if endless is not None:
        source.error(endless, "this value contains itself through an alias", "write it out instead of the alias")
        return source, None
    return source, node


def _text(path: Path, place: Place, problems: list[Problem]) -> str | None:
    try:
        return read_file(path).decode("utf-8-sig")
    except OSError as error:
        problems.append(Problem(place, Level.ERROR, f"{CLOSED}: {error.strerror or error}"))
    except UnicodeDecodeError as error:
        problems.append(
            Problem(place, Level.ERROR, f"is not UTF-8 (byte {error.start})", "save the file with the encoding UTF-8")
        )
    return None


def _endless(node: Node, above: set[int], done: set[int]) -> Node | None:
    if isinstance(node, ScalarNode) or id(node) in done:
        return None
    if id(node) in above:
        return node
    above.add(id(node))
    children = [part for pair in node.value for part in pair] if isinstance(node, MappingNode) else node.value
    for child in children:
        inner = _endless(child, above, done)
        if inner is not None:
            return inner
    above.discard(id(node))
    done.add(id(node))
    return None


def read_script(source: Source, node: Node, name: str, timeout_seconds: int) -> Script | None:
    """The script `name` beside the file being read; None, with an error, when it is not there or not a script."""
    language = _LANGUAGES.get(Path(name).suffix.lower())
    if language is None:
        source.error(node, f"'{name}' is not a script that computers can run", "name a .ps1 or a .sh file")
        return None
    path = source.path.parent / name
    shown = relative(source.root, path)
    if not is_inside(source.root, path):
        source.error(node, f"the script '{name}' lies outside the fleet", f"move it below {source.path.parent.name}/")
        return None
    if not path.is_file() and not is_odd(path):
        scripts = [each.name for each in sorted(source.path.parent.iterdir()) if each.suffix.lower() in _LANGUAGES]
        advice = did_you_mean(name, scripts) or "write the file, or correct the name"
        source.error(node, f"the script file {shown} does not exist", advice)
        return None
    text = _text(path, Place(shown), source.problems)
    return None if text is None else Script(shown, text, language, timeout_seconds)


def yaml_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """The YAML files of a folder (and of the folders below it) in name order; hidden ones are left out.

    Links to folders are followed, into each folder once. What is named like one but is a pipe or a link to itself is
    among them: to read it is an error that says so.
    """
    found = _below(folder, {folder.resolve()}) if deep else folder.glob("*")
    named = (path for path in found if path.suffix in YAML_ENDINGS and _visible(path, folder))
    return sorted(path for path in named if path.is_file() or is_odd(path))


def _below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.glob("*")):
        if not path.is_dir():
            yield path
        elif _visible(path, folder) and path.resolve() not in seen:
            seen.add(path.resolve())
            yield from _below(path, seen)


def item_folders(folder: Path) -> Iterator[Path]:
    """The folders of a library, one for each item, in name order."""
    if folder.is_dir():
        named = (each for each in folder.iterdir() if _visible(each, folder))
        yield from sorted(each for each in named if each.is_dir() or is_odd(each))


def _visible(path: Path, below: Path) -> bool:
    return not any(part.startswith((".", "__")) for part in path.relative_to(below).parts)


def did_you_mean(word: str, words: Iterable[str], likeness: float = 0.6) -> str:
    """Advice that names the nearest known word, or nothing; `likeness` is that of difflib, up to 1."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=likeness)
    return f"did you mean '{near[0]}'?" if near else ""
