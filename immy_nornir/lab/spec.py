"""What a computer of the lab is and how it misbehaves, and the lab's knobs; plain values, checked when they are read.

First step of the lab: inventory variables -> ComputerSpec. Nothing here runs anything.
"""

from __future__ import annotations

import difflib
import uuid as uuids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum

from immy_nornir.errors import UsageError
from immy_nornir.model.values import Json, SecretRef, Value


class Misbehaviour(StrEnum):
    """The ways in which a computer of the lab can be wrong."""

    OFF = "off"
    """Accepts and resets at once."""
    REFUSE_PASSWORD = "refuse_password"  # noqa: S105 - the name of a misbehaviour
    IMPOSTER = "imposter"
    """Answers with another name and uuid."""
    HANG = "hang"
    """Accepts requests and never answers them."""
    SLOW = "slow"
    """Every reply takes `Knobs.slow_seconds` more."""
    CUT_OFF = "cut_off"
    """Closes the connection in the middle of the reply that carries output, every time."""
    GARBAGE = "garbage"
    """Replies are not WS-Management but a web page."""
    CORRUPT = "corrupt"
    """One byte of every frame is wrong."""
    NOISE = "noise"
    """Bytes outside frames before, between and after."""
    EMPTY = "empty"
    """Exit code 0 and no output at all."""
    CONSTRAINED = "constrained"
    """PowerShell runs in ConstrainedLanguage: no bundle can be executed."""
    REBOOT_TWICE = "reboot_twice"
    """Comes back from a reboot for a moment and reboots again."""
    NEVER_BACK = "never_back"
    """A reboot is its last word."""
    DROPS = "drops"
    """Drops the connection once, in the middle of the first Receive."""
    DRIP = "drip"
    """Every reply comes a byte at a time, twice a second."""
    CROWDED = "crowded"
    """Others hold all shells of the user at first: the first two that are asked for are refused."""
    MOODY = "moody"
    """Lets in once, and then denies access twice, as right after a boot or while its domain does not answer."""
    TORN_RESULTS = "torn_results"
    """Of the results of its jobs only a part is left."""
    SLOW_DETECTION = "slow_detection"
    """Every script operation takes `Knobs.slow_seconds` more."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """How long things take, in seconds; all but `slow_seconds` and `hard_reboot_delay` are nothing by default."""

    reply_delay: float = 0.0
    """Added to every reply; 0.02 is a usual network."""
    powershell_start: float = 0.0
    """From the command to PowerShell's first byte; 0.6 is usual."""
    script_seconds: float = 0.0
    """One script operation."""
    install_seconds: float = 0.0
    """One job."""
    answer_seconds: float = 0.2
    """How long a user thinks."""
    reboot_seconds: float = 0.05
    """How long a computer is away."""
    slow_seconds: float = 1.0
    """What `slow` and `slow_detection` add."""
    hard_reboot_delay: float = 0.3
    """From an installer's exit code 1641 to the reboot that it asked for itself."""


@dataclass(frozen=True, slots=True)
class ComputerSpec:
    """One computer of the lab.

    `port` None means that it listens on the lab's ports; else it alone answers on `address`:`port` (`tls`: as https).
    `software` entries are maps with the field names of the `software` operation (`name`, `version`, `publisher`,
    `product_code`, `scope`, `view`, `user`, ...). `registry` has the form `{hive: {key: {name: value}}}`; `services`
    `{name: {state, startup}}`; `files` `{path: text or {content, version}}`; `packages` `{manager: {name: version or
    {installed, candidate}}}`. `values` are results of `get`, `inventory` and `versions` scripts by item; `scripts`
    versions that detection scripts report; `exits` exit codes of an item's jobs, one or those of successive runs;
    `prints` what an item's jobs print: a text, or a number of bytes; `logons` how the users are there, `answers` what
    they say when they are asked.
    """

    name: str
    address: str = "127.0.0.1"
    port: int | None = None
    tls: bool = False
    domain: str = ""
    uuid: str = ""
    username: str = "immy"
    password: str = field(default="lab", repr=False)
    users: tuple[str, ...] = ()
    os: str = "Microsoft Windows 11 Pro"
    version: str = "10.0.26100"
    build: str = "26100"
    architecture: str = "x64"
    chassis: str = "desktop"
    role: str = "workstation"
    memory_gb: float = 16.0
    disk_free_gb: float = 200.0
    manufacturer: str = "Contoso"
    model: str = "Lab 1"
    powershell: str = "5.1.26100.1"
    edition: str = ""
    """Backed computers: `5.1` makes the engine answer as Windows PowerShell 5.1."""
    time_zone: str = "UTC"
    """As Windows calls it, such as `W. Europe Standard Time`; empty: it does not know."""
    serial: str = ""
    software: tuple[Mapping[str, Json], ...] = ()
    registry: Mapping[str, Mapping[str, Mapping[str, Json]]] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    files: Mapping[str, Json] = field(default_factory=dict)
    packages: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    drivers: Mapping[str, str] = field(default_factory=dict)
    compliant: tuple[str, ...] = ()
    values: Mapping[str, Json] = field(default_factory=dict)
    scripts: Mapping[str, Json] = field(default_factory=dict)
    exits: Mapping[str, Json] = field(default_factory=dict)
    prints: Mapping[str, Json] = field(default_factory=dict)
    logons: Mapping[str, str] = field(default_factory=dict)
    """How users are there: `active` (where nothing is said), `locked`, `disconnected`, `unknown`."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """What users say to each question, or to one after the other: `now`, `later 60`, `refuse`, `silent`, `forged`."""
    breaks: tuple[str, ...] = ()
    pending_reboots: tuple[str, ...] = ()
    misbehave: tuple[Misbehaviour, ...] = ()

    def does(self, misbehaviour: Misbehaviour) -> bool:
        """Whether the computer misbehaves in this way."""
        return misbehaviour in self.misbehave

    @property
    def identity_uuid(self) -> str:
        """The SMBIOS uuid: as given, else made from the name, the same every time."""
        return self.uuid.lower() or str(uuids.uuid5(uuids.NAMESPACE_DNS, f"{self.name}.lab"))


_FIELDS = {one.name: one for one in fields(ComputerSpec)}
_NOT_VARIABLE = frozenset({"username", "password"})
_STRINGS = frozenset({"users", "compliant", "breaks", "pending_reboots"})
_MAPS = frozenset(
    {
        "registry",
        "services",
        "files",
        "packages",
        "drivers",
        "values",
        "scripts",
        "exits",
        "prints",
        "logons",
        "answers",
    }
)
_NUMBERS = frozenset({"memory_gb", "disk_free_gb"})


def spec_from_variables(
    name: str,
    address: str,
    variables: Mapping[str, Value],
    *,
    username: str = "immy",
    password: str = "lab",  # noqa: S107
) -> ComputerSpec:
    """Build a spec from a computer's inventory variables, of which `immy_lab` is the lab's own.

    `immy_lab` holds the field names of ComputerSpec. Raises UsageError that names every unknown key and every value of
    the wrong kind.
    """
    lab = variables.get("immy_lab") or {}
    if not isinstance(lab, Mapping):
        raise UsageError(f"{name}: immy_lab has to be a map, not {_kind(lab)}", "see ComputerSpec for its keys")
    problems: list[str] = []
    values: dict[str, object] = {"name": name, "address": address, "username": username, "password": password}
    known = sorted(set(_FIELDS) - _NOT_VARIABLE)
    for key, value in lab.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            problems.append(f"unknown key '{key}'" + (f", did you mean '{close[0]}'?" if close else ""))
            continue
        try:
            values[key] = _convert(key, value)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise UsageError(f"{name}: immy_lab: {'; '.join(problems)}", f"known keys: {', '.join(known)}")
    return ComputerSpec(**values)  # type: ignore[arg-type]  # every value was converted by its field's kind


def _convert(key: str, value: Value) -> object:
    if key == "misbehave":
        return tuple(_misbehaviour(one) for one in _strings(value))
    if key in _STRINGS:
        return tuple(_strings(value))
    if key == "software":
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, Mapping) for v in value):
            raise ValueError("has to be a list of maps")
        return tuple(plain(one) for one in value)
    if key in _MAPS:
        if not isinstance(value, Mapping):
            raise ValueError(f"has to be a map, not {_kind(value)}")
        return plain(value)
    if key == "tls":
        if not isinstance(value, bool):
            raise ValueError("has to be true or false")
        return value
    if key == "port" or key in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"has to be a number, not {_kind(value)}")
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"has to be text, not {_kind(value)}")
    return str(value)


def _misbehaviour(word: str) -> Misbehaviour:
    try:
        return Misbehaviour(word)
    except ValueError:
        close = difflib.get_close_matches(word, list(Misbehaviour), n=1)
        hint = f", did you mean '{close[0]}'?" if close else f" (known: {', '.join(Misbehaviour)})"
        raise ValueError(f"unknown misbehaviour '{word}'{hint}") from None


def _strings(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise ValueError("has to be a list of words")
    return [str(one) for one in value]


def plain(value: Value) -> Json:
    """A copy as plain JSON values; raises ValueError where a secret's reference stands."""
    if isinstance(value, SecretRef):
        raise ValueError("a secret has no place in immy_lab")
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    return value


def _kind(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case _:
            return "a secret"
