"""Schedules -> the plays that their occasions do, with the options that hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from immy_nornir.model.control.schedules import Schedule
from immy_nornir.model.inventory import Computer
from immy_nornir.model.playbooks import MaintenanceType, Play, Playbook
from immy_nornir.model.values import Value


def plays_of(schedule: Schedule, playbook: Playbook | None) -> tuple[Play, ...]:
    """The plays of a schedule: those of its playbook, else one that is made of what it says itself.

    Its hosts take the place of the plays' own, its options stand over theirs. No playbook where it names one: no plays.
    """
    if not schedule.playbook:
        return (
            Play(
                name=schedule.name,
                hosts=schedule.hosts,
                place=schedule.place,
                maintenance=schedule.maintenance,
                items=schedule.items,
                options=schedule.options,
                places=schedule.places,
            ),
        )
    plays = playbook.plays if playbook is not None else ()
    return tuple(
        replace(
            play,
            hosts=schedule.hosts or play.hosts,
            options={**play.options, **schedule.options},
            places={**play.places, **({"hosts": schedule.places["hosts"]} if "hosts" in schedule.places else {})},
        )
        for play in plays
    )


def changes(plays: tuple[Play, ...], types: Mapping[str, MaintenanceType]) -> bool:
    """Whether any of the plays may change a computer."""
    return any((kind := types.get(play.maintenance)) is not None and kind.executes for play in plays)


def option_of(play: Play, computer: Computer, name: str) -> Value:
    """What the play, else the computer's own variables, say of an option; None where neither does."""
    said = play.options.get(name)
    if said is not None:
        return said.value
    own = computer.variables.get("immy_options")
    return own.get(name) if isinstance(own, Mapping) else None
