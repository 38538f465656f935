"""Version texts -> a total order, as people who maintain computers expect it.

`compare`, `newest` and `satisfies` all go through `key`, and keys are plain tuples, so the order is total and
transitive by construction. Any text is accepted: what cannot be read sorts below everything that can. Not here: which
versions exist, and what to do about them.

The scheme `windows` reads a version as numbers, then words with numbers:

    131.0.6778.109      numbers, compared one by one; missing ones are 0, so v1.2 = 1.2.0 = 1,2
    24.08 beta 2        a word that means "not yet" is below the version without it: dev < alpha < beta < preview < rc
    8u431, 9.7p1, 22H2, 1.1.1a, 11.0 SP1, 1.8.0_431, 2.4-3    any other word, and a number behind - or _, is above it
    1.2.0+5, 2.0 (x64), 5.0 final, 64-bit                     build metadata and words without an order do not count
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import Desired, StateKind

Key = tuple[Any, ...]
"""Comparable with other keys of the same scheme."""
_Number = tuple[int, str]  # (count of digits, digits): any length compares, and cheaply


class VersionSchemeError(ImmyError):
    """There is no version scheme of this name."""


def compare(a: str, b: str, scheme: str = "windows") -> int:
    """-1, 0 or 1, as `a` is older than, equal to or newer than `b`. Raises VersionSchemeError."""
    first, second = key(a, scheme), key(b, scheme)
    return (first > second) - (first < second)


def key(version: str, scheme: str = "windows") -> Key:
    """A sort key; equal keys mean equal versions; of a text only the first 10,000 characters count.

    Raises: VersionSchemeError.
    """
    return _key(version[:_LONGEST], scheme)


_LONGEST: Final = 10_000


@lru_cache(maxsize=65536)
def _key(version: str, scheme: str) -> Key:
    try:
        make = _SCHEMES[scheme]
    except KeyError:
        near = difflib.get_close_matches(scheme, SCHEMES, n=1)
        advice = f"did you mean '{near[0]}'?" if near else f"schemes are {', '.join(SCHEMES)}"
        raise VersionSchemeError(f"'{scheme}' is not a version scheme", advice) from None
    return make(version.strip())


def is_known(version: str | None) -> bool:
    """Whether a text says a version at all: `n/a`, `Unknown` and nothing have no number in them."""
    return version is not None and any(letter.isdigit() for letter in version)


def newest(versions: Iterable[str], scheme: str = "windows") -> str | None:
    """The newest of some versions; among equal ones the first, None when there are none."""
    return max(versions, key=lambda version: key(version, scheme), default=None)


def satisfies(version: str | None, desired: Desired, scheme: str = "windows") -> bool:
    """Whether an installed version (None: not installed) is what is desired.

    `latest`, `installed` and `update_if_found` are satisfied by any version here: which one is the latest is for the
    caller to say. `update_if_found` and `ignored` are satisfied by absence too.
    """
    match desired.kind:
        case StateKind.IGNORED | StateKind.UPDATE_IF_FOUND:
            return True
        case StateKind.ABSENT:
            return version is None
        case StateKind.LATEST | StateKind.INSTALLED:
            return version is not None
        case _ if version is None or desired.version is None:
            return False
        case StateKind.EXACT:
            return compare(version, desired.version, scheme) == 0
        case StateKind.AT_LEAST:
            return compare(version, desired.version, scheme) >= 0
        case StateKind.AT_MOST:
            return compare(version, desired.version, scheme) <= 0


# --- windows ---------------------------------------------------------------------------------------------------

_END: Final = (0,)  # stands between "not yet" words (below 0) and other words (above 0)
_NOT_YET: Final = (
    ("dev", "development"),
    ("snapshot", "nightly", "canary", "daily"),
    ("alpha", "a"),
    ("beta", "b"),
    ("milestone", "m"),
    ("preview", "pre", "prerelease", "ea", "insider", "insiders"),
    ("rc", "cr", "candidate", "releasecandidate"),
)
_LATER: Final = (
    ("-", "build", "rev", "revision", "post"),
    ("p", "patch", "pl", "hotfix", "hf", "fix"),
    ("u", "update", "upd", "cu"),
    ("sp", "servicepack"),
)
_RANKS: Final[Mapping[str, int]] = {
    **{word: place - len(_NOT_YET) for place, words in enumerate(_NOT_YET) for word in words},
    **{word: place + 1 for place, words in enumerate(_LATER) for word in words},
}
_OTHER: Final = len(_LATER) + 1
_SILENT: Final = frozenset(
    {"v", "ver", "version", "release", "final", "ga", "stable", "lts", "windows", "win", "linux", "bit", "x", "edition"}
)
_ARCHITECTURE: Final = re.compile(
    r"(?<![a-z0-9])"
    r"(?:x64|x86_64|x86-64|x86|amd64|arm64|aarch64|ia64|i[3-6]86|win32|win64|(?:32|64)[ -]?bit)"
    r"(?![a-z0-9])"
)
_JOINED: Final = re.compile(r"(service|release)[ ._-]?(pack|candidate)")
# OpenSSL's 1.1.1a is a patch, while 1.0a1 and 1.0-a are an alpha.
_PATCH_LETTER: Final = re.compile(r"(?<=[0-9])([a-z])(?![a-z]|[-_. ]?[0-9])")
_TOKEN: Final = re.compile(r"([0-9]+)|([^\W\d_]+)|([-_(/ ]++(?=[0-9]))|[-_(/ ]+|.", re.DOTALL)


def _number(digits: str) -> _Number:
    text = digits.lstrip("0")
    return (len(text), text)


def _stripped(numbers: list[_Number]) -> tuple[_Number, ...]:
    while numbers and not numbers[-1][0]:
        numbers.pop()
    return tuple(numbers)


def _windows(version: str) -> Key:
    text = _ARCHITECTURE.sub(" ", version.casefold().split("+", 1)[0])
    text = re.sub(r"(?<!\s)\s*[.,]\s*", ".", _JOINED.sub(r"\1\2", text))
    release: list[_Number] = []
    groups: list[tuple[int, str, list[_Number]]] = []
    started = False
    behind = False  # the last token was a word: a separator between it and its number does not open a group
    for token in _TOKEN.finditer(_PATCH_LETTER.sub(r"patch\1", text)):
        digits, word, separator = token.groups()
        if digits:
            (groups[-1][2] if groups else release).append(_number(digits))
            started, behind = True, False
        elif word:
            behind = _add_word(groups, word, started) or behind
        elif separator and started and not behind:
            groups.append((_RANKS["-"], "", []))
            behind = True
    if not started and not groups:
        return (-1, version.casefold())
    return (0, _stripped(release), *((rank, name, _stripped(numbers)) for rank, name, numbers in groups), _END)


def _add_word(groups: list[tuple[int, str, list[_Number]]], word: str, started: bool) -> bool:  # noqa: FBT001
    """Open a group for a word, unless it has no order: names before the version, and words like `final`."""
    rank = _RANKS.get(word, _OTHER)
    if word in _SILENT or (not started and (rank > 0 or len(word) == 1)):
        return False
    groups.append((rank, word if rank == _OTHER else "", []))
    return True


# --- the other schemes -----------------------------------------------------------------------------------------

_SEMVER: Final = re.compile(r"[vV=]?\s*([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
_DATES: Final = (
    re.compile(r"(?P<y>[0-9]{4})[-./](?P<m>[0-9]{1,2})[-./](?P<d>[0-9]{1,2})(?P<rest>.*)", re.DOTALL),
    re.compile(r"(?P<d>[0-9]{1,2})[-./](?P<m>[0-9]{1,2})[-./](?P<y>[0-9]{4})(?P<rest>.*)", re.DOTALL),
    re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?P<rest>(?![0-9]).*)", re.DOTALL),
)


def _semver(version: str) -> Key:
    """Semantic Versioning 2.0.0, section 11; missing numbers are 0."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        return (-1, version)
    numbers = _stripped([_number(part) for part in found[1].split(".")])
    if found[2] is None:
        return (0, numbers, (1,))
    identifiers = tuple((0, _number(part)) if part.isdigit() else (1, part) for part in found[2].split("."))
    return (0, numbers, (0, identifiers))


def _date(version: str) -> Key:
    for pattern in _DATES:
        found = pattern.fullmatch(version)
        if found is None:
            continue
        try:
            day = date(int(found["y"]), int(found["m"]), int(found["d"]))
        except ValueError:
            break
        return (0, day.toordinal(), _stripped([_number(digits) for digits in re.findall("[0-9]+", found["rest"])]))
    return (-1, version)


def _msi(version: str) -> Key:
    """Windows Installer compares the first three numbers only."""
    numbers = re.findall("[0-9]+", version)
    return (0, _stripped([_number(digits) for digits in numbers[:3]])) if numbers else (-1, version)


def _string(version: str) -> Key:
    return (version,)


def _debian(version: str) -> Key:
    """deb-version(7): epoch:upstream-revision, `~` before everything, even the end."""
    epoch, colon, rest = version.partition(":")
    if not colon or not re.fullmatch("[0-9]+", epoch):
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return (_number(epoch), _debian_part(upstream), _debian_part(revision))


def _debian_part(text: str) -> Key:
    pairs = re.findall("([^0-9]*)([0-9]*)", text)
    end = ((0,), _number(""))
    filled = [((*map(_debian_letter, letters), 0), _number(digits)) for letters, digits in pairs if letters or digits]
    while filled and filled[-1] == end:
        filled.pop()
    return (*filled, end)


def _debian_letter(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isascii() and letter.isalpha() else ord(letter) + 256


_SCHEMES: Final[Mapping[str, Callable[[str], Key]]] = {
    "windows": _windows,
    "semver": _semver,
    "date": _date,
    "msi": _msi,
    "string": _string,
    "debian": _debian,
}
SCHEMES: Final = tuple(_SCHEMES)
"""The values of `version_scheme`."""
