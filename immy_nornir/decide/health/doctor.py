"""What a computer that lets us in says of itself -> lines with a verdict and what to type; pure.

Each check is a function of what was read, in the table CHECKS: another one is one more row. Not here: whether it can be
reached at all (remote.doctor).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from immy_nornir.decide.detect.identity import identity_mismatch
from immy_nornir.decide.times.time_zones import own_zone
from immy_nornir.errors import ImmyError
from immy_nornir.model.health import Health, Line, LookedAt
from immy_nornir.model.items import Platform
from immy_nornir.model.values import Json

CLOCK_SECONDS = 120.0
"""Kerberos refuses from 300 seconds on (its default); half of that is worth a warning."""
KERBEROS_SECONDS = 300.0
LOW_DISK_GB, NO_DISK_GB = 10.0, 1.0
OLDEST_POWERSHELL = (5, 1)
LEAST_MEMORY_MB = 1024
"""Windows' default of MaxMemoryPerShellMB since 2012 R2; with 150, that of WinRM 2, installers fail."""
LEAST_SHELLS = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at."""

    name: str
    judge: Callable[[LookedAt], Iterator[tuple[Health, str, str]]]
    windows: bool = True
    posix: bool = True


def lines_of(seen: LookedAt) -> list[Line]:
    """The lines of all checks that there are for such a computer."""
    is_windows = seen.identity.platform is Platform.WINDOWS
    found = []
    for check in CHECKS:
        if check.windows if is_windows else check.posix:
            found += [Line(check.name, *each) for each in check.judge(seen)]
    return found


Found = Iterator[tuple[Health, str, str]]


def identity(seen: LookedAt) -> Found:
    """The machine that answers, against the one that is meant."""
    said = f"{seen.identity.name}, {seen.identity.uuid_source or 'no uuid'} {seen.identity.uuid}".rstrip()
    wrong = identity_mismatch(seen.pinned, seen.identity)
    if wrong:
        yield (
            Health.PROBLEM,
            wrong,
            "if it was replaced: immy computers accept COMPUTER --reason WHY; else check its address",
        )
    elif not seen.identity.uuid:
        yield Health.WARNING, f"{said}: it does not say which machine it is", "pin its name: immy_identity: {name: ...}"
    else:
        yield Health.OK, said if seen.pinned else f"{said} (never seen before)", ""


def rights(seen: LookedAt) -> Found:
    """Whether what installs and reboots may do so."""
    user = _text(seen, "user") or "the user"
    if seen.identity.platform is Platform.WINDOWS:
        match seen.told.get("administrator"):
            case True:
                yield Health.OK, f"{user} is an administrator", ""
            case False:
                advice = (
                    "add the user to Administrators; of a local one over the network also set "
                    "LocalAccountTokenFilterPolicy to 1 "
                    "(HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System)"
                )
                yield Health.PROBLEM, f"{user} is no administrator there, or not elevated", advice
            case _:
                yield (
                    Health.WARNING,
                    "it cannot be told whether the user is an administrator",
                    "run whoami /groups there",
                )
        return
    if _text(seen, "uid") == "0":
        yield Health.OK, "root" if not seen.becomes else f"{user}, through sudo", ""
    elif _text(seen, "sudo") == "yes":
        advice = "set ansible_become: true, so that jobs run as root"
        yield Health.WARNING, f"{user} is not root, and may become it by sudo", advice
    else:
        why = _text(seen, "sudo_says")
        advice = f"allow it without a password: {user} ALL=(ALL) NOPASSWD: ALL (visudo), and set ansible_become: true"
        yield Health.PROBLEM, f"{user} is not root, and sudo says no{f': {why}' if why else ''}", advice


def shell(seen: LookedAt) -> Found:
    """What runs our scripts."""
    if seen.identity.platform is not Platform.WINDOWS:
        missing = _text(seen, "missing").split()
        if missing:
            yield Health.PROBLEM, f"{_text(seen, 'shell') or 'sh'}; missing: {', '.join(missing)}", "install them there"
        else:
            yield Health.OK, _text(seen, "shell") or "sh", ""
        return
    version = _text(seen, "powershell") or str(seen.identity.system.get("powershell") or "")
    mode = _text(seen, "language_mode") or str(seen.identity.system.get("language_mode") or "")
    if mode and mode != "FullLanguage":
        advice = "allow immy's runner in AppLocker or WDAC; remove __PSLockdownPolicy where somebody has set it"
        yield Health.PROBLEM, f"PowerShell {version} runs in {mode} mode", advice
    elif _version(version) and _version(version) < OLDEST_POWERSHELL:
        yield Health.PROBLEM, f"PowerShell {version} is too old", "install Windows Management Framework 5.1"
    else:
        yield Health.OK, f"PowerShell {version or 'of an unknown version'}, {mode or 'mode unknown'}", ""


def limits(seen: LookedAt) -> Found:
    """WinRM's quotas, as far as they can be read with these rights."""
    if seen.kind != "winrm":
        return
    memory, shells = _number(seen, "max_memory_mb"), _number(seen, "max_shells")
    if memory is None and shells is None:
        yield Health.OK, "its quotas cannot be read with these rights", ""
        return
    said = f"MaxMemoryPerShellMB {_shown(memory)}, MaxShellsPerUser {_shown(shells)}"
    if memory is not None and 0 < memory < LEAST_MEMORY_MB:
        advice = f'winrm set winrm/config/winrs @{{MaxMemoryPerShellMB="{LEAST_MEMORY_MB}"}}'
        yield Health.WARNING, f"{said}: large installers may run out of memory", advice
    elif shells is not None and 0 < shells < LEAST_SHELLS:
        yield Health.WARNING, f"{said}: few", 'winrm set winrm/config/winrs @{MaxShellsPerUser="30"}'
    else:
        yield Health.OK, said, ""


def spool(seen: LookedAt) -> Found:
    """The folder of jobs: whether it can be made, and what was left in it."""
    path, jobs = _text(seen, "spool"), _number(seen, "open_jobs") or 0
    can, free = seen.told.get("spool_can"), _number(seen, "spool_free_gb")
    told = f"{path or 'its folder'}{f', {free:g} GB free' if free is not None else ''}"
    if can is False or can == "no":
        yield (
            Health.PROBLEM,
            f"{told}: this user cannot write there",
            "use an administrator or root",
        )
    elif free is not None and free < NO_DISK_GB:
        yield Health.PROBLEM, f"{told}: there is no room for jobs", "make room on that disk"
    elif jobs:
        told = f"{told}; {jobs:g} jobs without a result: at work, or left by a crash"
        yield (
            Health.WARNING,
            told,
            "immy sessions stuck names the session that is at one",
        )
    else:
        yield Health.OK, f"{told}, no job at work", ""


def clock(seen: LookedAt) -> Found:
    """The computer's clock against ours; the time that the question took may be anywhere in the difference."""
    time = seen.identity.system.get("time")
    if not isinstance(time, int | float) or isinstance(time, bool):
        yield Health.WARNING, "it does not tell its time", "date there, or Get-Date: look at the clock yourself"
        return
    off = time - min(max(time, seen.asked_at), seen.heard_at)
    how = f"{abs(off):,.0f} seconds {'ahead of' if off > 0 else 'behind'} this machine's"
    sync = "w32tm /resync" if seen.identity.platform is Platform.WINDOWS else "timedatectl set-ntp true"
    if abs(off) >= KERBEROS_SECONDS:
        yield Health.PROBLEM, f"its clock is {how}: Kerberos and certificates fail", f"{sync} there, or here"
    elif abs(off) >= CLOCK_SECONDS:
        yield Health.WARNING, f"its clock is {how}", f"{sync} there, or here"
    else:
        yield Health.OK, "its clock is this machine's" if abs(off) < 2 else f"its clock is {how}", ""


def disk(seen: LookedAt) -> Found:
    """Free space of the system's disk."""
    free = seen.identity.system.get("disk_free_gb")
    if not isinstance(free, int | float) or isinstance(free, bool):
        yield Health.WARNING, "it does not tell its free space", "df -h / there, or Get-PSDrive C: look yourself"
    elif free < NO_DISK_GB:
        yield Health.PROBLEM, f"{free:g} GB are free on the system's disk", "make room: nothing can be installed"
    elif free < LOW_DISK_GB:
        yield Health.WARNING, f"{free:g} GB are free on the system's disk", "updates of Windows want 10 to 20 GB"
    else:
        yield Health.OK, f"{free:g} GB are free on the system's disk", ""


def packages(seen: LookedAt) -> Found:
    """Whether another installation is under way: what is asked for now would have to wait."""
    holders = [one for one in str(seen.told.get("locks") or "").split("; ") if one]
    if seen.identity.platform is Platform.WINDOWS:
        progress = _text(seen, "msi_in_progress")
        if progress:
            holders.append(f"Windows Installer has left an installation open ({progress})")
        if seen.told.get("msi_busy") is True:
            holders.append("Windows Installer is at work (Global\\_MSIExecute)")
        if seen.told.get("servicing") is True:
            holders.append("Windows is servicing itself (TiWorker)")
        advice = "wait for its end; an installation that was left open ends with a reboot"
    else:
        advice = "wait for its end; see what it does: ps -fp PID. Never remove the lock's file while it lives"
    if holders:
        yield Health.WARNING, "; ".join(holders), advice
    else:
        yield Health.OK, "no installation is under way", ""


def pending_reboot(seen: LookedAt) -> Found:
    """Pending reboots by name."""
    names = seen.identity.pending_reboots
    if names:
        advice = "sessions with -o reboot=automatic reboot first; sources that always say so: ignore_pending_reboots"
        yield Health.WARNING, f"pending: {', '.join(names)}", advice
    else:
        yield Health.OK, "none is pending", ""


def time_zone(seen: LookedAt) -> Found:
    """Whether windows and business hours can be worked out."""
    reported = seen.identity.system.get("time_zone")
    try:
        zone = own_zone("", reported)
    except ImmyError as error:
        yield Health.WARNING, error.message, "set immy_time_zone: Europe/Berlin, or another, in the inventory"
        return
    yield Health.OK, f"{zone}" + (f" ({reported})" if reported != zone else ""), ""


CHECKS: tuple[Check, ...] = (
    Check("identity", identity),
    Check("rights", rights),
    Check("shell", shell),
    Check("limits", limits, posix=False),
    Check("spool", spool),
    Check("clock", clock),
    Check("disk", disk),
    Check("packages", packages),
    Check("reboot", pending_reboot),
    Check("time zone", time_zone),
)
"""In the order in which they are told."""


def _text(seen: LookedAt, name: str) -> str:
    value = seen.told.get(name)
    return value if isinstance(value, str) else ""


def _number(seen: LookedAt, name: str) -> float | None:
    value: Json = seen.told.get(name)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f}"


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")[:2]
    return tuple(int(one) for one in parts) if all(one.isdigit() for one in parts) else ()


_LOOK: Final[Mapping[str, str]] = {
    "login": "see docs/troubleshooting/login-refused.md",
    "certificate": "see docs/troubleshooting/certificate.md",
    "host key": "see docs/troubleshooting/host-key.md",
    "probe": "look there by hand: something cuts what its programs print (a profile, security software)",
}
_ANY: Final = "see docs/troubleshooting/README.md"


def advised(line: Line) -> Line:
    """A line with what to do about it, said once: its words may hold the advice of an error, or there may be none."""
    if line.health is Health.OK:
        return line
    said = line.found.replace(f" ({line.advice})", "") if line.advice else line.found
    return replace(line, found=said, advice=line.advice or _LOOK.get(line.check, _ANY))


def worst(lines: Iterable[Line]) -> Health:
    """The verdict on all of them."""
    found = {one.health for one in lines}
    return next((one for one in (Health.PROBLEM, Health.WARNING) if one in found), Health.OK)
