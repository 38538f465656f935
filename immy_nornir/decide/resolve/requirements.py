"""What an item requires of its computer against what is known of it: met, missed, or not known; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from immy_nornir.decide import versions
from immy_nornir.decide.resolve import conditions
from immy_nornir.decide.resolve.conditions import HoldsNot, Unknown
from immy_nornir.errors import ImmyError
from immy_nornir.model.items import Requirements
from immy_nornir.model.values import Json, Value


@dataclass(frozen=True, slots=True)
class Judged:
    """What stands against an item on a computer; all empty: its requirements are met."""

    missed: str = ""
    """The requirement that the computer does not meet."""
    unknown: str = ""
    """The requirement of which that cannot be told."""
    wrong: str = ""
    """Why the requirement cannot be judged on any computer."""


def judge(
    needs: Requirements, system: Mapping[str, Json], variables: Mapping[str, Value], facts: Mapping[str, Json]
) -> Judged:
    """All requirements of an item; one that is missed settles the matter, whatever else is not known."""
    verdicts = (*_system(needs, system), _where(needs, variables, facts))
    for against in ("missed", "wrong", "unknown"):
        found = next((one for one in verdicts if getattr(one, against)), None)
        if found is not None:
            return found
    return Judged()


def _system(needs: Requirements, system: Mapping[str, Json]) -> Iterator[Judged]:
    architecture = system.get("architecture")
    if needs.architectures:
        wanted = " or ".join(needs.architectures)
        if not isinstance(architecture, str) or not architecture:
            yield Judged(unknown=f"it needs {wanted}, and this computer's architecture is not known")
        elif architecture not in needs.architectures:
            yield Judged(f"needs {wanted}, this computer is {architecture}")
    version = system.get("version")
    if needs.minimum_os:
        if not isinstance(version, str) or not versions.is_known(version):
            said = f" ('{version}')" if version else ""
            what = f"it needs operating system {needs.minimum_os} or newer, and this computer's version is not known"
            yield Judged(unknown=what + said)
        elif versions.compare(version, needs.minimum_os) < 0:
            yield Judged(f"needs operating system {needs.minimum_os} or newer, this computer has {version}")
    for name, least in (("memory_gb", needs.memory_gb), ("disk_free_gb", needs.disk_gb)):
        has = system.get(name)
        if least is None:
            continue
        if isinstance(has, bool) or not isinstance(has, int | float):
            yield Judged(unknown=f"it needs {name} of {least:g}, and this computer's is not known")
        elif has < least:
            yield Judged(f"needs {name} of {least:g}, this computer has {has:g}")


def _where(needs: Requirements, variables: Mapping[str, Value], facts: Mapping[str, Json]) -> Judged:
    if needs.where is None:
        return Judged()
    try:
        verdict = conditions.evaluate(needs.where, variables, facts)
    except ImmyError as error:
        return Judged(wrong=f"its requirement cannot be read: {error.message}")
    match verdict:
        case Unknown(names=names):
            return Judged(unknown=f"its requirement reads what is not known: {', '.join(sorted(names))}")
        case HoldsNot():
            return Judged(f"its requirement does not hold: {needs.where}")
        case _:
            return Judged()
