"""Plays + computers -> session specs: options merged from all levels with their origins, identities pinned.

Options: command line over play over the computer's and its groups' variable `immy_options` over the defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from immy_nornir.decide import windows
from immy_nornir.errors import ImmyError, UsageError
from immy_nornir.model.facts import Facts
from immy_nornir.model.inventory import Computer, Sourced
from immy_nornir.model.playbooks import MaintenanceType, Offline, OnFailure, Options, Play, Reboot, UserContext
from immy_nornir.model.record import SessionSpec
from immy_nornir.model.values import Value

_ENUMS: Mapping[str, type[StrEnum]] = {
    "reboot": Reboot,
    "user_context": UserContext,
    "offline": Offline,
    "on_failure": OnFailure,
}
_WHOLE = ("max_reboots", "retries", "retry_seconds")
NAMES = tuple(one.name for one in dataclasses.fields(Options) if one.name != "origins")


@dataclass(frozen=True, slots=True)
class Asking:
    """What the command line adds to plays."""

    options: Mapping[str, str] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    vars: Mapping[str, Value] = field(default_factory=dict)
    check: bool = False


def merge_options(computer: Computer, play: Mapping[str, Sourced], command_line: Mapping[str, str]) -> Options:
    """The options of one session with the origin of each.

    Raises: UsageError for a name or value that there is not, with its place.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    variable = computer.variables.get("immy_options")
    place = computer.origins.get("immy_options")
    if isinstance(variable, Mapping):
        for name, value in variable.items():
            origin = f"variable immy_options{f', {place}' if place else ''}"
            values[name], origins[name] = option_value(name, value, origin), origin
    for name, sourced in play.items():
        origin = f"play{f', {sourced.place}' if sourced.place else ''}"
        values[name], origins[name] = option_value(name, sourced.value, origin), origin
    for name, text in command_line.items():
        values[name], origins[name] = option_value(name, text, "command line"), "command line"
    for name in NAMES:
        origins.setdefault(name, "default")
    return Options(**values, origins=origins)


def option_value(name: str, value: Value, origin: str) -> Any:
    """One option's value, checked."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1)
        raise UsageError(f"there is no option '{name}' ({origin})", f"did you mean '{near[0]}'?" if near else "")
    if name in _ENUMS:
        try:
            chosen = _ENUMS[name](str(value))
        except ValueError:
            raise UsageError(
                f"option {name} cannot be '{value}' ({origin})", f"it is one of {', '.join(_ENUMS[name])}"
            ) from None
        if chosen is Reboot.PROMPT:
            raise UsageError(f"reboot: prompt is not supported yet ({origin})", "use skip, automatic or force")
        return chosen
    if name in _WHOLE:
        if not str(value).isdigit():
            raise UsageError(f"option {name} must be a whole number, not '{value}' ({origin})")
        return int(str(value))
    if name == "reboot_timeout_minutes":
        try:
            minutes = float(str(value))
        except ValueError:
            minutes = 0.0
        if not 0 < minutes < float("inf"):
            raise UsageError(f"option {name} must be a number of minutes, not '{value}' ({origin})")
        return minutes
    if name == "reboots_in_business_hours":
        if str(value).lower() not in ("true", "false"):
            raise UsageError(f"option {name} must be true or false, not '{value}' ({origin})")
        return str(value).lower() == "true"
    if name == "ignore_pending_reboots":
        listed = value.split(",") if isinstance(value, str) else value
        return tuple(str(one).strip() for one in listed) if isinstance(listed, Sequence) else ()
    if name == "window":
        return _window(str(value), origin)
    return str(value)


def _window(text: str, origin: str) -> str:
    """A window that can be worked out, but for the hours and the zone of a computer."""
    if text not in ("now", "after_hours"):
        try:
            windows.opens_at(text, None, "UTC", 0.0)
        except ImmyError as error:
            advice = 'it is now, after_hours, a time such as "22:30", or an ISO time'
            raise UsageError(f"option window cannot be '{text}' ({origin})", advice) from error
    return text


def specs_of(
    run_id: str,
    first: int,
    play: Play,
    kind: MaintenanceType,
    computers: Sequence[Computer],
    seen: Mapping[str, Facts],
    asking: Asking,
    now: float,
) -> list[SessionSpec]:
    """One spec for each computer, numbered from `first`; `seen` holds the last known facts by name."""
    specs = []
    for number, computer in enumerate(computers, first):
        given = {**{name: one.value for name, one in play.vars.items()}, **asking.vars}
        variables = {**computer.variables, **given}
        specs.append(
            SessionSpec(
                id=f"{run_id}-{number}",
                run_id=run_id,
                computer=computer.name,
                tenant=computer.tenant,
                type=kind,
                options=merge_options(computer, play.options, asking.options),
                items=asking.items or play.items,
                asked_items=bool(asking.items),
                play=play.name,
                vars=given,
                pinned_identity=pinned_identity(variables.get("immy_identity"), seen.get(computer.name)),
                business_hours=variables.get("immy_business_hours"),
                time_zone=str(variables.get("immy_time_zone") or "UTC"),
                onboarding=variables.get("immy_onboarding") is True,
                check=asking.check,
                created_at=now,
            )
        )
    return specs


def pinned_identity(variable: Value, seen: Facts | None) -> dict[str, str]:
    """The identity that a computer must have: the inventory's `immy_identity`, else what was last seen of its UUID."""
    if isinstance(variable, str):
        return {"uuid": variable}
    if isinstance(variable, Mapping):
        return {key: str(value) for key, value in variable.items() if value is not None}
    system = seen.values.get("system") if seen is not None else None
    if isinstance(system, dict) and system.get("uuid"):
        return {"uuid": str(system["uuid"]), "uuid_source": str(system.get("uuid_source") or "")}
    return {}
