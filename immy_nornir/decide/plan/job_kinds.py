"""A step of an action -> what its job runs, by the definition; pure. docs/orders.md has the table.

What is structured is known: package managers, installers, drivers. A script may run anything: what it names is taken
for what it runs, a comment too, for an installer that is cut off costs more than a script that is waited for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from immy_nornir.decide.plan.job_steps import Step
from immy_nornir.model.control.job_kinds import JobKind
from immy_nornir.model.items import DriverVersion, Item, Software

_RANK = tuple(JobKind)
_INSTALLS = ("install", "upgrade", "uninstall", "repair")

_NAMES: Mapping[JobKind, str] = {
    JobKind.FIRMWARE: r"firmware fwupd\w* flashrom dcu-cli hpimageassistant hpfirmwareupdrec\w* h2offt\w* afuwin\w*",
    JobKind.DRIVER: r"pnputil dpinst\w* devcon add-windowsdriver add-printerdriver",
    JobKind.UPDATES: r"""
        wusa usoclient wuauclt pswindowsupdate get-windowsupdate install-windowsupdate microsoft\.update\.\w+ dism
        add-windowspackage softwareupdate unattended-upgrades? do-release-upgrade
    """,
    JobKind.PACKAGES: r"""
        winget choco apt apt-get aptitude dpkg dnf yum rpm zypper pacman brew snap flatpak install-package
        add-appxpackage add-appxprovisionedpackage
    """,
    JobKind.INSTALLER: r"msiexec \S+\.ms[ip] installer",
}
MENTIONS: Mapping[JobKind, re.Pattern[str]] = {
    kind: re.compile(rf"(?<![\w-])(?:{'|'.join(names.split())})(?![\w-])", re.IGNORECASE)
    for kind, names in _NAMES.items()
}
"""Names in texts that are executed."""
_UPDATE_FILE = re.compile(r"\.(?:msu|cab)(?:$|[?#])", re.IGNORECASE)


def kind_of(item: Item, step: Step) -> JobKind:
    """What a job runs: the most harmful of what its step is and what `runs` says; without that, of what it names."""
    known = _structure(item, step)
    told = [item.runs] if item.runs is not None else list(_named(step))
    return max([known, *told], key=_RANK.index)


def _structure(item: Item, step: Step) -> JobKind:
    if isinstance(item, Software) and isinstance(item.detection, DriverVersion):
        return JobKind.DRIVER
    match step.kind:
        case "package":
            return JobKind.PACKAGES
        case "installer":
            return JobKind.UPDATES if _UPDATE_FILE.search(str(step.work.get("url") or "")) else JobKind.INSTALLER
        case "declare":
            resources = step.work.get("resources")
            listed = resources if isinstance(resources, list) else []
            packages = any(isinstance(one, dict) and one.get("resource") == "package" for one in listed)
            return JobKind.PACKAGES if packages else JobKind.SETTINGS
        case _:
            return JobKind.INSTALLER if isinstance(item, Software) and step.name in _INSTALLS else JobKind.SCRIPT


def _named(step: Step) -> Iterator[JobKind]:
    texts = [str(step.work[name]) for name in ("script", "command", "arguments") if step.work.get(name)]
    for kind, words in MENTIONS.items():
        if any(words.search(text) for text in texts):
            yield kind
