"""Detected x desired -> type of action and reason, for one item; pure.

The table of software states is section 2.4 of the vocabulary's source: enum names and documentation of the product
that made the feature; where it says nothing, the row says why. What needs what is decided in `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.decide import versions
from immy_nornir.model.deployments import Desired, StateKind, TaskMode
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import InstallerType, Item, PackageManager, Release, Software, Task
from immy_nornir.model.plan import Desire, Reason
from immy_nornir.model.playbooks import ActionType
from immy_nornir.model.values import Json
from immy_nornir.text.plain import plain


@dataclass(frozen=True, slots=True)
class Decision:
    """What should be done about one item, before looking at other items and options."""

    type: ActionType
    reason: Reason
    why: str
    release: Release | None = None
    """The pinned release to be there afterwards."""
    found: str = ""
    error: bool = False
    """It cannot be done or decided; the action ends as failed."""
    unknown: bool = False
    """It cannot be told whether there is something to do; the action ends as unknown."""

    @property
    def version(self) -> str | None:
        """The version that will be there afterwards."""
        return self.release.version if self.release else None


def decide(desire: Desire, item: Item, finding: Finding, architecture: str | None = None) -> Decision:
    """The decision for one desire with its finding."""
    if finding.status is FindingStatus.FAILED:
        why = f"its definition is wrong: {finding.message}"
        return Decision(ActionType.UNDETERMINED, Reason.WRONG_DEFINITION, why, error=True)
    if finding.status is FindingStatus.UNKNOWN:
        return _unknown(f"detection failed: {finding.message}")
    if isinstance(item, Task):
        return _task(desire, finding)
    return _software(desire, item, finding, architecture)


def _unknown(why: str, found: str = "") -> Decision:
    return Decision(ActionType.UNDETERMINED, Reason.DETECTION_FAILED, why, found=found, unknown=True)


def _task(desire: Desire, finding: Finding) -> Decision:
    compliant = finding.status is FindingStatus.COMPLIANT
    changes = "; ".join(f"{one.name}: {_short(one.before)} -> {_short(one.after)}" for one in finding.changes[:3])
    if len(finding.changes) > 3:
        changes += f" and {len(finding.changes) - 3} more"
    if changes and finding.unread:
        changes += f"; {finding.message}"
    found = told(finding)
    match desire.mode:
        case TaskMode.MONITOR:
            return Decision(ActionType.MONITOR, Reason.MONITOR, "its value is recorded", found=_short(finding.value))
        case TaskMode.AUDIT:
            said = f": {changes or finding.message}" if (changes or finding.message) else ""
            return Decision(ActionType.AUDIT, Reason.AUDIT, f"audited: {found}{said}", found=found)
        case TaskMode.IGNORED | None:
            return Decision(ActionType.NONE, Reason.IGNORED, "ignored by its deployment", found=found)
        case TaskMode.ENFORCE if desire.preflight:
            said = f": {changes or finding.message}" if (changes or finding.message) else ""
            why = "the computer is ready" if compliant else f"nothing begins before it is so{said}"
            return Decision(ActionType.AUDIT, Reason.AUDIT, why, found=found)
        case TaskMode.ENFORCE:
            if compliant:
                return Decision(ActionType.NONE, Reason.COMPLIANT, "already as it should be", found=found)
            why = changes or finding.message or "its test says no"
            return Decision(ActionType.ENFORCE, Reason.NOT_COMPLIANT, why, found=found)


def told(finding: Finding) -> str:
    """What is there, for `before` and `after`: a version, or a verdict with the value where there is one."""
    if finding.status is FindingStatus.FOUND:
        return finding.version or "present"
    verdict = finding.status in (FindingStatus.COMPLIANT, FindingStatus.NOT_COMPLIANT)
    value = f": {_short(finding.value)}" if verdict and finding.value is not None else ""
    return f"{finding.status.value.replace('_', ' ')}{value}"


def _short(value: Json) -> str:
    text = plain(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _software(desire: Desire, item: Software, finding: Finding, architecture: str | None) -> Decision:
    wanted = desire.desired or Desired(StateKind.IGNORED)
    there = finding.status is FindingStatus.FOUND
    found = finding.version or ("present" if there else "")
    if wanted.kind is StateKind.IGNORED:
        return Decision(ActionType.NONE, Reason.IGNORED, "ignored by its deployment", found=found)
    if wanted.kind is StateKind.ABSENT:
        if there:
            why = f"{found} is there and should not be"
            return Decision(ActionType.UNINSTALL, Reason.SOFTWARE_DETECTED, why, found=found)
        return Decision(ActionType.NONE, Reason.NOT_FOUND, "not there, as it should be")
    if there and finding.sound is False:
        return _broken(item, finding, wanted, architecture)
    if not there and wanted.kind is StateKind.UPDATE_IF_FOUND:
        return Decision(ActionType.NONE, Reason.NOT_FOUND, "not there, and only updated where it is found")
    target = pick(item, wanted, finding.available, architecture)
    if not there:
        return _missing(item, wanted, finding, target)
    return _present(item, wanted, finding, target)


def _not_offered(wanted: Desired, finding: Finding, target: Release | None) -> str:
    """Why the release to be there is not known, for what is on offer is not; empty when it is."""
    newest = wanted.kind in (StateKind.LATEST, StateKind.UPDATE_IF_FOUND)
    if finding.unoffered and (newest or target is None or not target.version):
        return f"it is not known which versions there are: {finding.unoffered}"
    return ""


def _missing(item: Software, wanted: Desired, finding: Finding, target: Release | None) -> Decision:
    if why := _not_offered(wanted, finding, target):
        return _unknown(f"missing; {why}")
    if target is None:
        why = f"no version of {item.title} satisfies '{wanted}' on this computer"
        return Decision(ActionType.UNDETERMINED, Reason.NO_APPLICABLE_VERSION, why, error=True)
    known = target.version and wanted.kind in (StateKind.LATEST, StateKind.INSTALLED)
    why = f"missing; {wanted} is {target.version if known else 'wanted'}"
    return Decision(ActionType.INSTALL, Reason.SOFTWARE_MISSING, why, target)


def _present(item: Software, wanted: Desired, finding: Finding, target: Release | None) -> Decision:
    found = finding.version or "present"
    calm = Decision(ActionType.NONE, Reason.UP_TO_DATE, f"already {found}", found=found)
    if wanted.kind is StateKind.INSTALLED:
        return calm
    limited = wanted.kind in (StateKind.EXACT, StateKind.AT_LEAST, StateKind.AT_MOST)
    if limited and finding.version == wanted.version:
        return calm
    if why := _not_offered(wanted, finding, target) if not limited else "":
        return _unknown(f"{found} is there; {why}", found)
    if not versions.is_known(finding.version) and (limited or (target is not None and target.version)):
        said = f"its version is '{finding.version}'" if finding.version else "its version is not known"
        compared = str(wanted) if limited or target is None else target.version
        return _unknown(f"it is there, but {said}, which {compared} cannot be compared with", found)
    if not finding.version:
        return calm
    scheme = item.version_scheme
    if limited:
        order = versions.compare(finding.version, wanted.version or "", scheme)
        satisfied = {StateKind.EXACT: order == 0, StateKind.AT_LEAST: order >= 0, StateKind.AT_MOST: order <= 0}
        if satisfied[wanted.kind]:
            return calm
        if why := _not_offered(wanted, finding, target):
            return _unknown(f"{found} is there; {why}", found)
        if target is None:
            why = f"no version of {item.title} satisfies '{wanted}' on this computer"
            return Decision(ActionType.UNDETERMINED, Reason.NO_APPLICABLE_VERSION, why, found=found, error=True)
    if target is None or not target.version:
        return calm
    order = versions.compare(finding.version, target.version, scheme)
    if order < 0:
        return Decision(
            ActionType.UPDATE, Reason.UPDATE_AVAILABLE, f"{found} is there, {target.version} is wanted", target, found
        )
    if order > 0 and wanted.kind in (StateKind.EXACT, StateKind.AT_MOST):
        why = f"{found} is there, the older {target.version} is wanted"
        return Decision(ActionType.DOWNGRADE, Reason.OLDER_VERSION_REQUIRED, why, target, found)
    return calm


def _broken(item: Software, finding: Finding, wanted: Desired, architecture: str | None) -> Decision:
    """Repaired as it is, or, where another version is wanted anyway, replaced by that one."""
    found = finding.version or "present"
    why = f"{found} is there, and its own test says it is broken"
    target = pick(item, wanted, finding.available, architecture)
    otherwise = _present(item, wanted, finding, target)
    if otherwise.error or otherwise.unknown:
        return otherwise
    if otherwise.type is not ActionType.NONE:
        return Decision(ActionType.REINSTALL, Reason.TEST_FAILED, f"{why}; {otherwise.why}", target, found)
    same = Desired(StateKind.EXACT, finding.version) if finding.version else wanted
    release = pick(item, same, finding.available, architecture) or target
    kind = ActionType.REINSTALL if item.repair is None else ActionType.REPAIR
    return Decision(kind, Reason.TEST_FAILED, why, release, found)


def pick(
    item: Software, wanted: Desired, offered: Sequence[Mapping[str, Json]], architecture: str | None
) -> Release | None:
    """The newest release that satisfies a state and fits the architecture; a nameless one where only a script installs.

    Releases come from the definition, from its versions script, or from the package manager, whose exact versions
    are taken at their word: it may hold more than it offers.
    """
    manager = item.package or (item.detection if isinstance(item.detection, PackageManager) else None)
    releases = [*item.releases, *(release_from(one) for one in offered)]
    if wanted.kind is StateKind.EXACT and manager is not None and wanted.version:
        return Release(wanted.version)
    fitting = [
        one
        for one in releases
        if _fits(one.architecture, architecture) and versions.satisfies(one.version, wanted, item.version_scheme)
    ]
    if fitting:
        return max(
            fitting, key=lambda one: (versions.key(one.version, item.version_scheme), one.architecture == architecture)
        )
    unversioned = wanted.kind in (StateKind.LATEST, StateKind.INSTALLED, StateKind.UPDATE_IF_FOUND)
    if not releases and unversioned and (item.install.script is not None or manager is not None):
        return Release("")
    return None


def _fits(needed: str | None, has: str | None) -> bool:
    if needed is None or has is None or needed == has:
        return True
    return needed == "x86" and has in ("x64", "arm64")  # 32-bit installers run there too


def release_from(offered: Mapping[str, Json]) -> Release:
    """A release from what a versions script or a package manager returned; names of keys without case."""
    low = {key.lower(): value for key, value in offered.items()}

    def text(*names: str) -> str | None:
        for name in names:
            if low.get(name) not in (None, ""):
                return str(low[name])
        return None

    kind = (text("type", "installertype") or "").lower()
    url = text("url")
    if kind not in set(InstallerType):
        kind = InstallerType.MSI if url and url.lower().split("?")[0].endswith(".msi") else InstallerType.EXE
    return Release(
        text("version") or "",
        url,
        text("sha256", "hash", "packagehash"),
        text("architecture", "arch"),
        InstallerType(kind),
        text("arguments"),
    )
