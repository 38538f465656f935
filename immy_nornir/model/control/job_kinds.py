"""What a job runs on its computer, as far as it matters to whoever wants to stop it. Values only.

`decide.plan.job_kinds` derives it from a definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class JobKind(StrEnum):
    """Kinds of work; the later ones do more harm when they are cut off."""

    SETTINGS = "settings"
    """Registry values, files, services that are set one by one."""
    SCRIPT = "script"
    INSTALLER = "installer"
    """An installer or uninstaller, msiexec among them, or a script that is there to install."""
    PACKAGES = "packages"
    """A package manager."""
    UPDATES = "updates"
    """Updates of the operating system."""
    DRIVER = "driver"
    FIRMWARE = "firmware"


STOPPED = frozenset({JobKind.SETTINGS, JobKind.SCRIPT})
"""What an order to stop at once ends."""
KILLED = frozenset({JobKind.INSTALLER, JobKind.PACKAGES})
"""What it ends only where that is asked for by its name; whatever is in neither set is never ended."""

KINDS: Mapping[JobKind, str] = {
    JobKind.SETTINGS: "settings",
    JobKind.SCRIPT: "a script",
    JobKind.INSTALLER: "an installer",
    JobKind.PACKAGES: "a package manager",
    JobKind.UPDATES: "updates of the system",
    JobKind.DRIVER: "a driver",
    JobKind.FIRMWARE: "firmware",
}
"""What a person reads for them."""
