"""Names of variables -> advice for those that are nearly known; nobody would read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from immy_nornir.fleet.inventory.connection_names import KNOWN
from immy_nornir.shapes.files import did_you_mean

OWN_VARIABLES: Final = (
    "immy_tenant", "immy_identity", "immy_primary_user", "immy_business_hours", "immy_time_zone", "immy_tags",
    "immy_onboarding", "immy_excluded", "immy_options", "immy_lab", "immy_certificate_sha256", "immy_allow_plain_basic",
    "immy_allow_local_reboot", "immy_spool", "immy_hold", "immy_site", "immy_prompt_texts",
    "immy_not_primary",
)  # fmt: skip
_ELSEWHERE: Final[Mapping[str, str]] = {
    "immy_blackouts": "blackouts stand in playbooks/blackouts.yml, with the pattern that they hold for",
    "immy_window": "write immy_options: {window: ...}",
}
"""What somebody may look for among the variables, and where it stands."""
_ALIKE: Final = 0.85
_BY_START: Final[Mapping[str, tuple[str, ...]]] = {"immy_": OWN_VARIABLES, "ansible_": tuple(sorted(KNOWN))}


@lru_cache(maxsize=4096)
def misspelled(name: str) -> str:
    """Advice for a name that is nearly one of immy's own or of a connection; empty for all others.

    A start that is itself nearly `immy_` or `ansible_` counts, as `ansble_host` does.
    """
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    for known in _BY_START.values():
        if name in known:
            return ""
    start = name.partition("_")[0]
    return next(
        (
            did_you_mean(name, known, _ALIKE)
            for beginning, known in _BY_START.items()
            if name.startswith(beginning) or did_you_mean(f"{start}_", (beginning,), _ALIKE)
        ),
        "",
    )
