"""Plays + computers -> session specs: options merged from all levels with their origins, identities pinned.

Options: command line over play over the computer's and its groups' variable `immy_options` over the defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from immy_nornir.decide.detect.facts import known_names
from immy_nornir.decide.onboarding import Onboarded
from immy_nornir.decide.resolve import host_variables
from immy_nornir.decide.resolve.winning_deployments import Asked
from immy_nornir.decide.times import windows
from immy_nornir.errors import ImmyError, UsageError
from immy_nornir.model.facts import Facts
from immy_nornir.model.inventory import Computer, Sourced
from immy_nornir.model.playbooks import (
    Absent,
    MaintenanceType,
    Offline,
    OnFailure,
    Options,
    Otherwise,
    Play,
    Preflight,
    Reboot,
    UserContext,
    WindowOver,
)
from immy_nornir.model.record.session import SessionSpec
from immy_nornir.model.values import Value
from immy_nornir.model.words import ADVICE, NEITHER, yes_or_no
from immy_nornir.text.plain import plain

_ENUMS: Mapping[str, type[StrEnum]] = {
    "reboot": Reboot,
    "user_context": UserContext,
    "offline": Offline,
    "on_failure": OnFailure,
    "window_over": WindowOver,
    "preflight": Preflight,
    "prompt_silence": Otherwise,
    "prompt_refusal": Otherwise,
    "prompt_nobody": Otherwise,
    "primary_user_absent": Absent,
}
_POSITIVE = {
    "reboot_timeout_minutes": "minutes",
    "detection_valid_hours": "hours",
    "session_timeout_minutes": "minutes",
    "run_timeout_minutes": "minutes",
    "preflight_minutes": "minutes",
    "preflight_hours": "hours",
    "prompt_minutes": "minutes",
    "primary_user_hours": "hours",
}
_FROM_NOTHING = {"countdown_minutes": "minutes"}
_WHOLE = ("max_reboots", "retries", "retry_seconds", "prompt_postponements")
NAMES = tuple(one.name for one in dataclasses.fields(Options) if one.name != "origins")


@dataclass(frozen=True, slots=True)
class Asking:
    """What the command line adds to plays."""

    options: Mapping[str, str] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    vars: Mapping[str, Value] = field(default_factory=dict)
    check: bool = False
    onboard: bool = False
    """Computers are onboarded, whatever their variables say and whatever has passed before."""


def asked_of(spec: SessionSpec) -> Asked:
    """What a session is about."""
    return Asked(spec.only or spec.items, spec.asked_items, spec.onboarding)


def variables_given(play: Play | None, extra: Mapping[str, Value]) -> dict[str, Value]:
    """What stands over a computer's variables: those of the play, and over them those of the command line."""
    return {**({name: one.value for name, one in play.vars.items()} if play is not None else {}), **extra}


def merge_options(
    computer: Computer,
    play: Mapping[str, Sourced],
    command_line: Mapping[str, str],
    variables: Mapping[str, Value] | None = None,
) -> Options:
    """The options of one session with the origin of each; `variables` are the computer's if they are not given.

    Raises: UsageError for a name or value that there is not, with its place.
    """
    variables = computer.variables if variables is None else variables
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    try:
        variable = host_variables.own(variables, "immy_options")
    except ImmyError as error:
        raise UsageError(f"immy_options of {computer.name}: {error.message}", error.advice) from error
    place = computer.origins.get("immy_options")
    if variable is not None and not isinstance(variable, Mapping):
        raise UsageError(
            f"immy_options of {computer.name} is no map: '{variable}'", "give an option with -o NAME=VALUE"
        )
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
            return _ENUMS[name](str(value))
        except ValueError:
            words = ", ".join(_ENUMS[name])
            raise UsageError(f"option {name} cannot be '{plain(value)}' ({origin})", f"it is one of {words}") from None
    if name in _WHOLE:
        if not str(value).isdigit():
            raise UsageError(f"option {name} must be a whole number, not '{plain(value)}' ({origin})")
        return int(str(value))
    if name in _POSITIVE or name in _FROM_NOTHING:
        return _amount(name, value, origin)
    if name == "prompt_later_minutes":
        return _minutes(name, value, origin)
    if name == "reboots_in_business_hours":
        read = yes_or_no(value)
        if read is None:
            raise UsageError(f"option {name} cannot be '{plain(value)}' ({origin}): it {NEITHER}", ADVICE)
        return read
    if name == "ignore_pending_reboots":
        listed = value.split(",") if isinstance(value, str) else value
        return tuple(str(one).strip() for one in listed) if isinstance(listed, Sequence) else ()
    if name == "window":
        return _window(str(value), origin)
    return str(value)


def _amount(name: str, value: Value, origin: str) -> float:
    """A number of a unit, more than nothing where nothing has no sense."""
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    unit = _POSITIVE.get(name) or _FROM_NOTHING[name]
    if not (0 < number < math.inf or (number == 0 and name in _FROM_NOTHING)):
        raise UsageError(f"option {name} must be a number of {unit}, not '{plain(value)}' ({origin})")
    return number


def _minutes(name: str, value: Value, origin: str) -> tuple[int, ...]:
    """Whole minutes, each once, the shortest first."""
    listed = value.split(",") if isinstance(value, str) else value
    texts = [str(one).strip() for one in (listed if isinstance(listed, Sequence) else [listed])]
    if not all(one.isdigit() and 0 < int(one) <= _LONGEST_MINUTES for one in texts if one):
        advice = "such as 15,60,240"
        raise UsageError(f"option {name} must be whole minutes, not '{plain(value)}' ({origin})", advice)
    return tuple(sorted({int(one) for one in texts if one}))


_LONGEST_MINUTES = 7 * 24 * 60


def _window(text: str, origin: str) -> str:
    """A window that can be worked out, but for the hours and the zone of a computer."""
    if text not in ("now", "after_hours"):
        try:
            windows.opens_at(text, None, "UTC", 0.0)
        except ImmyError as error:
            advice = 'it is now, after_hours, a time such as "22:30", days and hours, or an ISO time or interval'
            raise UsageError(f"option window cannot be '{text}' ({origin}): {error}", advice) from error
    return text


def refuse_past_window(spec: SessionSpec, seen: Facts | None, now: float) -> None:
    """Raise UsageError for a window that has closed for good, by the clock of the computer.

    Of a computer whose zone is not known before it was ever spoken to, one that has closed wherever it may stand.
    """
    system = seen.values.get("system") if seen is not None else None
    reported = system.get("time_zone") if isinstance(system, dict) else None
    if past := windows.past(spec.options.window, spec.time_zone, reported, now):
        origin = spec.options.origins.get("window", "")
        message = f"the window {spec.options.window} of {spec.computer} {past} ({origin})"
        raise UsageError(message, "choose one that has not ended yet")


def specs_of(
    run_id: str,
    first: int,
    play: Play,
    kind: MaintenanceType,
    computers: Sequence[Computer],
    seen: Mapping[str, Facts],
    asking: Asking,
    now: float,
    onboarded: Mapping[str, Onboarded] | None = None,
) -> list[SessionSpec]:
    """One spec for each computer, numbered from `first`; `seen` holds the last known facts by name.

    `onboarded` says by name whose onboarding has ended.
    """
    specs = []
    given = variables_given(play, asking.vars)
    for number, computer in enumerate(computers, first):
        variables = known_names(computer, given)
        specs.append(
            SessionSpec(
                id=f"{run_id}-{number}",
                run_id=run_id,
                computer=computer.name,
                tenant=computer.tenant,
                type=kind,
                options=merge_options(computer, play.options, asking.options, variables),
                items=asking.items or play.items,
                asked_items=bool(asking.items),
                play=play.name,
                vars=given,
                pinned_identity=pinned_identity(_pinned(variables), seen.get(computer.name)),
                business_hours=_hours(variables, "immy_business_hours"),
                time_zone=str(_hours(variables, "immy_time_zone") or ""),
                onboarding=asking.onboard
                or (is_onboarding(computer, variables) and not _is_done(computer.name, seen, onboarded or {})),
                check=asking.check,
                created_at=now,
            )
        )
    return specs


def _is_done(name: str, seen: Mapping[str, Facts], onboarded: Mapping[str, Onboarded]) -> bool:
    """Whether the onboarding of a computer has ended, as far as it is known which machine it is."""
    done = onboarded.get(name)
    return done is not None and done.holds(seen.get(name) or Facts())


def is_onboarding(computer: Computer, variables: Mapping[str, Value]) -> bool:
    """Whether a computer is being brought in. Raises UsageError, with its place, for what is neither yes nor no."""
    try:
        return host_variables.is_onboarding(variables)
    except ImmyError as error:
        place = computer.origins.get("immy_onboarding")
        at = f" ({place})" if place is not None else ""
        raise UsageError(f"immy_onboarding of {computer.name}: {error.message}{at}", error.advice) from error


def _hours(variables: Mapping[str, Value], name: str) -> Value:
    """As it stands where its template cannot be expanded: whoever needs it says so, for this computer alone."""
    try:
        return host_variables.own(variables, name)
    except ImmyError:
        return variables.get(name)


def _pinned(variables: Mapping[str, Value]) -> Value:
    try:
        return host_variables.own(variables, "immy_identity")
    except ImmyError as error:
        # A pin that nobody can read is met by no computer: this one is not touched, the others are.
        return {"name": f"that of immy_identity, which cannot be read: {error.message}"}


def pinned_of(computer: Computer, seen: Facts | None) -> dict[str, str]:
    """The identity that a computer of the inventory must have."""
    return pinned_identity(_pinned(known_names(computer, {})), seen)


def pinned_identity(variable: Value, seen: Facts | None) -> dict[str, str]:
    """The identity that a computer must have: the inventory's `immy_identity`, else what was last seen of its UUID."""
    if variable is not None:
        return host_variables.pins(variable)
    system = seen.values.get("system") if seen is not None else None
    if isinstance(system, dict) and system.get("uuid"):
        return {"uuid": str(system["uuid"]), "uuid_source": str(system.get("uuid_source") or "")}
    return {}
