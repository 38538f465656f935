"""Whether a software is on a computer, in which version, and what is on offer for it: answers -> one finding; pure.

What could not be read is unknown, never absent: of a list with entries that nobody could read only what was found in
the others is known. Not here: tasks, and what is asked (decide.detect.detection).
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from immy_nornir.decide import versions
from immy_nornir.decide.detect.reading_results import (
    Answers,
    DetectionError,
    Unread,
    answer_of,
    as_text,
    element,
    element_of,
    verdict,
)
from immy_nornir.model.deployments import StateKind
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import (
    DetectScript,
    DisplayName,
    DriverVersion,
    FileVersion,
    PackageManager,
    ProductCode,
    Software,
    UpgradeCode,
)
from immy_nornir.model.plan import Desire
from immy_nornir.model.values import Json
from immy_nornir.text.plain import and_more
from immy_nornir.text.regex import compile_regex

_LONGEST_VERSION = 200


def wants_versions(desire: Desire) -> bool:
    """Whether it matters for a desire which versions there are."""
    return desire.desired is not None and desire.desired.kind not in (StateKind.ABSENT, StateKind.IGNORED)


def software_finding(desire: Desire, item: Software, answers: Answers) -> Finding:
    """What is there of one software.

    Raises: DetectionError where it cannot be told; RegexError for a pattern that cannot be read.
    """
    found = _installed(desire, item, answers)
    available: list[Mapping[str, Json]] = []
    unoffered = ""
    if wants_versions(desire):
        try:
            available = _offered(desire, item, answers)
        except DetectionError as error:
            unoffered = str(error)
    sound: bool | None = None
    if item.test is not None and found.present and wants_versions(desire):
        sound = verdict(answers, f"test:{desire.id}")
    status = FindingStatus.FOUND if found.present else FindingStatus.NOT_FOUND
    return Finding(desire.item, desire.instance, status, found.version, tuple(available), unoffered, sound, found.entry)


def _offered(desire: Desire, item: Software, answers: Answers) -> list[Mapping[str, Json]]:
    available: list[Mapping[str, Json]] = []
    if item.package is not None and item.detection != item.package:
        available.extend(_candidate(item.package, answers))
    elif isinstance(item.detection, PackageManager):
        available.extend(_candidate(item.detection, answers))
    if item.versions_script is not None:
        offered = answer_of(answers, f"versions:{desire.id}")
        listed = offered if isinstance(offered, list) else [] if offered is None else [offered]
        good = [one for one in listed if isinstance(one, dict) and as_text(_version_of(one)) is not None]
        if listed and not good:
            raise DetectionError(f"its versions script must write maps with a version; it wrote {listed[0]!r:.80}")
        available.extend(good)
    return available


def _version_of(release: Mapping[str, Json]) -> Json:
    return next((value for key, value in release.items() if key.lower() == "version"), None)


def _candidate(manager: PackageManager, answers: Answers) -> list[Mapping[str, Json]]:
    answer = element_of(answers, f"packages:{manager.manager}", manager.name)
    if answer is None:
        return []
    if answer.get("candidate_error"):
        raise DetectionError(str(answer["candidate_error"]))
    candidate = as_text(answer.get("candidate"))
    return [{"version": candidate}] if candidate else []


@dataclass(frozen=True, slots=True)
class _Found:
    present: bool = False
    version: str | None = None
    entry: dict[str, Json] | None = None
    """The uninstall entry, which says how to remove it."""


_ABSENT = _Found()


def _installed(desire: Desire, item: Software, answers: Answers) -> _Found:
    match item.detection:
        case PackageManager(manager, name):
            version = installed_version(answers, manager, name)
            return _Found(version is not None, version)
        case FileVersion(path):
            file = element_of(answers, "file", path)
            return _ABSENT if file is None else _Found(True, as_text(file.get("version")))
        case DriverVersion(name):
            driver = element(answer_of(answers, f"driver:{name}"), "driver")
            if "version" not in driver:
                raise DetectionError(f"the answer of driver is cut off: it says nothing of the version of {name}")
            version = as_text(driver["version"])
            return _Found(version is not None, version)
        case DetectScript():
            return _by_script(answer_of(answers, f"detect:{desire.id}"))
        case DisplayName() | ProductCode() | UpgradeCode() as how:
            return _listed(how, item, answers)


def installed_version(answers: Answers, manager: str, name: str) -> str | None:
    """The version of a package that its manager names; None: it is not installed. Raises DetectionError."""
    answer = element_of(answers, f"packages:{manager}", name)
    if answer is None:
        return None
    if "installed" not in answer:
        raise DetectionError(f"the answer of {manager} is cut off: it does not say whether {name} is installed")
    return as_text(answer["installed"])


def _by_script(said: Json) -> _Found:
    """What a detection script wrote: a version, true; or nothing, false."""
    if isinstance(said, bool) or said is None:
        return _Found(bool(said))
    if isinstance(said, str | int | float):
        text = str(said).strip()
        if text.lower() in ("", "false", "true"):
            return _Found(text.lower() == "true")
        if versions.is_known(text) and len(text.splitlines()) == 1 and len(text) <= _LONGEST_VERSION:
            return _Found(True, text)
    raise DetectionError(
        f"a detection script must write the installed version, or nothing (true and false without a version); "
        f"it wrote {said!r:.80}"
    )


def _listed(how: DisplayName | ProductCode | UpgradeCode, item: Software, answers: Answers) -> _Found:
    if not isinstance(answer_of(answers, "software"), list):
        raise DetectionError("the enumeration of software is not a list")
    matches = _matcher(how)
    matching = [entry for name, entry in answers.programs if matches(name, entry)]
    if not matching:
        hidden = [one.why for one in answers.unread if _may_be(how, one)]
        if hidden:
            more = and_more(len(hidden) - 3)
            raise DetectionError(
                f"it is not among what could be read of the software; not read: {'; '.join(hidden[:3])}{more}"
            )
        return _ABSENT
    best = max(matching, key=lambda entry: versions.key(as_text(entry.get("version")) or "0", item.version_scheme))
    return _Found(True, as_text(best.get("version")), best)


_GUID = re.compile(r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}", re.IGNORECASE)


def _may_be(how: DisplayName | ProductCode | UpgradeCode, unread: Unread) -> bool:
    """Whether what could not be read may be the software: Windows Installer names its entries by product code."""
    if unread.upgrade_code:
        return isinstance(how, UpgradeCode) and unread.upgrade_code.lower() in ("*", how.code.lower())
    match how:
        case ProductCode(code) if unread.key:
            return unread.key.lower() == code.lower() or not _GUID.fullmatch(unread.key)
        case UpgradeCode() if unread.key:
            return _GUID.fullmatch(unread.key) is not None
        case _:
            return True


Entry = Mapping[str, Json]
Matcher = Callable[[str, Entry], object]
"""Given an uninstall entry's name in lower case and the entry, something true if it is the software."""


@functools.lru_cache(maxsize=4096)  # the same few definitions judge the software of every computer
def _matcher(how: DisplayName | ProductCode | UpgradeCode) -> Matcher:
    """Whether an uninstall entry is the software that `how` describes; names compare without case."""
    match how:
        case ProductCode(code):
            return _equals("product_code", code)
        case UpgradeCode(code):
            return _equals("upgrade_code", code)
        case DisplayName(pattern, regex, publisher):
            named = _searches(pattern) if regex else _named(pattern)
            if publisher is None:
                return named
            fits = re.compile(fnmatch.translate(publisher.lower())).match
            return lambda name, entry: named(name, entry) and fits((as_text(entry.get("publisher")) or "").lower())


def _equals(field: str, code: str) -> Matcher:
    wanted = code.lower()
    return lambda _, entry: (as_text(entry.get(field)) or "").lower() == wanted


def _searches(pattern: str) -> Matcher:
    search = compile_regex(pattern, ignore_case=True, groups=False).search
    return lambda _, entry: search(as_text(entry.get("name")) or "")


def _named(pattern: str) -> Matcher:
    fits = re.compile(fnmatch.translate(pattern.lower())).match
    return lambda name, _: fits(name)
