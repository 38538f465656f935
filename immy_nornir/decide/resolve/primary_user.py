"""Whose computer it is: sightings of people + what the fleet says -> the primary user, or why there is none; pure.

The variable `immy_primary_user` wins. Else the last sightings of people are counted, one for each person and day: of
the newest TEN at least FIVE and twice the runner-up's are one person's, or the computer is shared. Only workstations
have one, and neither accounts of services nor operators count. Not here: who is logged on now, and as whom work runs
(decide.plan.users); where sightings are kept (history).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from immy_nornir.decide.resolve.host_variables import own
from immy_nornir.decide.resolve.persons import NOT_PRIMARY, VARIABLE, is_listed, is_service, may_be_same, parts, problem
from immy_nornir.errors import ImmyError
from immy_nornir.model.facts import LogonState, Sighting
from immy_nornir.model.values import Json, Value

TEN: Final = 10
"""So many of the newest sightings count."""
FIVE: Final = 5
"""So many of them must be one person's."""
_ACCOUNTS: Final = ("ansible_winrm_user", "ansible_psrp_user", "ansible_user", "ansible_ssh_user")
_SERVERS: Final = ("server", "domain_controller")


@dataclass(frozen=True, slots=True)
class Said:
    """What the fleet says of it."""

    name: str | None = None
    """`immy_primary_user`; empty: it has none. None: it is learned."""
    place: str = ""
    listed: tuple[str, ...] = ()
    """`immy_not_primary`: patterns of accounts that are nobody's."""
    accounts: tuple[str, ...] = ()
    """As whom immy connects."""
    wrong: str = ""
    """Why what it says cannot be read."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One person among the sightings that count."""

    user: str
    """As it was written last."""
    times: int
    first: str
    last: str
    """Days."""


@dataclass(frozen=True, slots=True)
class PrimaryUser:
    """Whose computer it is."""

    name: str | None
    """None: it has none, or nobody knows yet."""
    why: str
    evidence: tuple[Counted, ...] = ()
    """The people of the sightings that count, most first."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Who was seen and does not count, each with why."""
    known: bool = True
    """False where more may tell: there are too few sightings, or it was never spoken to."""

    @property
    def fact(self) -> str | None:
        """The value of `facts.primary_user`: empty where it is known that there is none, None where nobody knows."""
        return (self.name or "") if self.known else None


def serves_many(system: Mapping[str, Json]) -> bool:
    """Whether a computer is no workstation: a multi-session Windows calls itself a server, too."""
    return system.get("role") in _SERVERS or system.get("chassis") == "server"


def primary_user(sightings: Sequence[Sighting], system: Mapping[str, Json], said: Said) -> PrimaryUser:
    """Whose computer it is; `system` is what it says of itself, empty where it was never spoken to."""
    if said.wrong:
        return PrimaryUser(None, said.wrong, known=False)
    if said.name is not None:
        where = f" ({said.place})" if said.place else ""
        if not said.name:
            return PrimaryUser(None, f"{VARIABLE} says that it has none{where}")
        return PrimaryUser(said.name, f"set by {VARIABLE}{where}")
    if serves_many(system):
        return PrimaryUser(None, "it is a server, which is nobody's own")
    if not system:
        return PrimaryUser(None, "it was never spoken to", known=False)
    counting, left_out = _counting(sightings, said)
    newest = counting[:TEN]
    evidence = _counted(newest)
    if not evidence:
        return PrimaryUser(None, f"nobody was seen there yet; {FIVE} sightings are needed", (), left_out, known=False)
    first, runner_up = evidence[0], evidence[1] if len(evidence) > 1 else None
    second = 0 if runner_up is None else runner_up.times
    counts = f"{first.user} has {first.times} of the last {_sightings(len(newest))}"
    if runner_up is not None:
        counts += f", {runner_up.user} {second}"
    if first.times >= FIVE and first.times >= 2 * second:
        return PrimaryUser(first.user, f"learned: {counts}", evidence, left_out)
    rule = f"{FIVE} of {TEN} are needed, and twice as many as anybody else"
    if len(newest) < TEN:
        return PrimaryUser(None, f"not known yet: {counts}; {rule}", evidence, left_out, known=False)
    return PrimaryUser(None, f"it is shared: {counts}; {rule}", evidence, left_out)


def _sightings(number: int) -> str:
    return "sighting" if number == 1 else f"{number} sightings"


def _counting(sightings: Iterable[Sighting], said: Said) -> tuple[list[Sighting], tuple[tuple[str, str], ...]]:
    """The sightings that count, newest first, and who does not count.

    A disconnected session counts on days on which nobody was there otherwise: people forget them for weeks.
    """
    left_out: dict[str, str] = {}
    people: list[Sighting] = []
    for one in sorted(sightings, key=lambda one: (one.day, one.at, one.user.casefold()), reverse=True):
        if why := _left_out(one.user, said):
            left_out.setdefault(one.user, why)
        else:
            people.append(one)
    there = {one.day for one in people if one.state is not LogonState.DISCONNECTED}
    counting = [one for one in people if one.state is not LogonState.DISCONNECTED or one.day not in there]
    return counting, tuple(left_out.items())


def _left_out(user: str, said: Said) -> str:
    if is_service(user):
        return "an account of the system"
    if pattern := is_listed(user, said.listed):
        return f"listed in {NOT_PRIMARY} ({pattern})"
    if any(may_be_same(one, user) for one in said.accounts):
        return "the account that immy connects with"
    return ""


def _counted(sightings: Sequence[Sighting]) -> tuple[Counted, ...]:
    """The people of sightings that are newest first: most sightings first, then who was seen last."""
    key = {one.user: (user, domain) for one in sightings for user, domain in (parts(one.user),)}
    times = Counter(key[one.user] for one in sightings)
    found = {}
    for one in sightings:
        if (person := key[one.user]) not in found:
            days = [other.day for other in sightings if key[other.user] == person]
            found[person] = Counted(one.user, times[person], days[-1], days[0])
    return tuple(sorted(found.values(), key=lambda one: -one.times))


def said_of(variables: Mapping[str, Value], place: object = None) -> Said:
    """What the variables of a computer say of it; what cannot be read makes it unknown, and nobody's."""
    try:
        name, listed = own(variables, VARIABLE), own(variables, NOT_PRIMARY)
    except ImmyError as error:
        return Said(wrong=f"{VARIABLE} or {NOT_PRIMARY} cannot be read: {error.message}")
    accounts = dict.fromkeys(text for one in _ACCOUNTS if (text := _account(variables, one)))
    for about, value in ((VARIABLE, name), (NOT_PRIMARY, listed)):
        if wrong := problem(about, value):
            return Said(wrong=wrong)
    texts = (listed,) if isinstance(listed, str) else listed if isinstance(listed, list | tuple) else ()
    where = "" if place is None else str(place)
    return Said(None if name is None else str(name).strip(), where, tuple(map(str, texts)), tuple(accounts))


def _account(variables: Mapping[str, Value], name: str) -> str:
    try:
        value = own(variables, name)
    except ImmyError:
        return ""  # its connection says so
    return value.strip() if isinstance(value, str) else ""


def of_computer(
    variables: Mapping[str, Value], place: object, system: Mapping[str, Json], sightings: Sequence[Sighting]
) -> PrimaryUser:
    """Whose computer it is by its variables, `place` being that of `immy_primary_user`, and what was seen of it."""
    return primary_user(sightings, system, said_of(variables, place))


def with_primary(variables: Mapping[str, Value], fact: Json) -> Mapping[str, Value]:
    """The variables for templates: `immy_primary_user` is whom the fact names, where the fleet does not say it."""
    if not isinstance(fact, str) or variables.get(VARIABLE) is not None:
        return variables
    return {**variables, VARIABLE: fact}
