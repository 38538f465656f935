"""What lies in an inventory's folders and is not read, or read as something else -> problems with what to try.

Ansible's rules decide what is read; it says nothing of the rest. Used by the readers of sources and of folders of
variables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from immy_nornir.fleet.entries import entries, nearest, other_case, unread, unreadable
from immy_nornir.fleet.inventory.draft import Draft
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.shapes.files import did_you_mean

EXTENSIONS = ("", ".yml", ".yaml", ".json")
"""Endings of files of variables, the first one that is there wins."""
_INVENTORIES = (*EXTENSIONS, ".ini")
_LEFT_OVER = (
    *(".old", ".save", ".backup", ".copy", ".tmp", ".temp", ".csv", ".log", ".j2", ".dist", ".example", ".sample"),
    *(".template", ".disabled", ".off", ".new", ".rej", ".patch", ".diff"),
)


def passed_over(path: Path, draft: Draft) -> None:
    """Name an entry of an inventory's folder that Ansible ignores by its name; hidden ones are known."""
    if path.name.startswith(".") or path.is_dir():
        return
    message = f"is passed over, as Ansible does with files whose names end in {path.suffix or path.name[-1:]}"
    draft.problems.extend(unread(path, Place(str(path)), Level.NOTE, message, "move it out if nobody needs it here"))


def no_source(path: Path, draft: Draft) -> bool:
    """Whether an entry of an inventory's folder cannot be read as a source, which is told."""
    wrong = unreadable(path, Place(str(path)))
    if wrong is not None:
        draft.problems.append(wrong)
    return wrong is not None


def odd_source(path: Path, draft: Draft) -> None:
    """Name an entry of an inventory's folder that is read, but as something else than it looks."""
    place = Place(str(path))
    if path.is_dir():
        near = nearest(path.name, ("group_vars", "host_vars"))
        if near:
            draft.warning(place, "is read as a folder of inventories", near)
        return
    ending = path.suffix
    if ending.lower() in (*EXTENSIONS, ".ini") and ending not in _INVENTORIES:
        message = f"is read as INI, for its name ends in {ending}"
        draft.warning(place, message, f"rename it to {path.stem}{ending.lower()}")
    elif ending.lower() in _LEFT_OVER:
        message = f"is read as an INI inventory, as Ansible does with names that end in {ending}"
        draft.warning(place, message, "move it out if its computers are not meant")


def unread_variables(folder: Path, names: Collection[str], what: str, draft: Draft) -> None:
    """What lies in a `group_vars` or `host_vars` folder that no group or computer (`names`) reads; `what` is theirs."""
    if folder.is_dir():
        draft.problems.extend(_unread_variables(folder, names, what))


def _unread_variables(folder: Path, names: Collection[str], what: str) -> Iterator[Problem]:
    unlisted: list[Problem] = []
    taken: dict[str, Path] = {}
    here = list(entries(folder, Place(str(folder)), unlisted))  # it was listed before: what keeps us was said then
    for path in sorted(here, key=lambda one: EXTENSIONS.index(one.suffix) if one.suffix in EXTENSIONS else -1):
        place = Place(str(path))
        wrong = unreadable(path, place)
        # A computer's name may have dots itself.
        name = path.name if path.name in names or path.suffix not in EXTENSIONS else path.stem
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if wrong is not None:
            yield wrong
        elif path.is_file() and (odd := other_case(path, place, Level.WARNING, EXTENSIONS[1:])) is not None:
            yield odd
        elif name not in names:
            near = did_you_mean(name, names) or f"immy inventory graph shows the {what}s there are"
            yield Problem(place, Level.WARNING, f"there is no {what} '{name}', and nobody reads these variables", near)
        elif name in taken:
            message = f"is not read, for {taken[name].name} stands beside it"
            yield Problem(place, Level.WARNING, message, "keep one of them, as Ansible reads only that one")
        else:
            taken[name] = path


def unread_below(path: Path, draft: Draft) -> bool:
    """Whether an entry of a folder of one group's or computer's variables is not read by its name, which is told."""
    place = Place(str(path))
    if path.name.startswith(".") or path.name.endswith("~"):
        return True
    wrong = unreadable(path, place)
    if wrong is None and path.is_file():
        wrong = other_case(path, place, Level.WARNING, EXTENSIONS[1:])
    if wrong is None and path.suffix not in EXTENSIONS:
        wrong = Problem(place, Level.NOTE, f"is not read, for its name ends in {path.suffix}")
    if wrong is None and path.is_dir() and path.suffix:
        wrong = Problem(place, Level.WARNING, "is not read, for a folder's name has no ending here", "rename it")
    if wrong is not None:
        draft.problems.append(wrong)
    return wrong is not None
