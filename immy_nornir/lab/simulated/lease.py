"""The lease of a simulated computer: which session may act on it, as the runner's scripts keep it (docs/wire.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immy_nornir.lab.simulated.reading import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_JUST_NOW = 5.0


class LeaseFile:
    """One computer's lease; it outlives boots."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.row: dict[str, Any] | None = None
        self._now = now

    def enter(self, lease: Mapping[str, Any] | None, detected: float | None, at_work: Callable[[str], str]) -> bool:
        """Take or renew it; whether another had it since `detected` seconds ago. Raises OperationError."""
        if not lease:
            return False
        old, now = self.row, self._now()
        own = self._is_own(lease)
        if own and old is not None and old["epoch"] > lease["epoch"]:
            raise OperationError(f"lease lost: session {old['session']} was taken up by {old['holder']}")
        held = False
        if old is not None and not own and not old["released"]:
            works = bool(at_work(str(old["session"])))
            held = works or (old["history"], old["session"]) != (lease["history"], lease.get("ended"))
            if held and (works or now < old["until"]):
                raise OperationError(f"lease busy: {old['holder']}, until {max(int(old['until']), int(now))}")
        since = old is not None and not own and detected is not None and old["touched"] + _JUST_NOW >= now - detected
        self._write(lease, now + float(lease["seconds"]), released=False)
        return detected is not None and (held or since)

    def renew(self, lease: Mapping[str, Any] | None) -> None:
        """Longer, where it is still theirs."""
        if lease and self._is_own(lease) and self.row is not None and self.row["epoch"] <= lease["epoch"]:
            self._write(lease, self._now() + float(lease["seconds"]), released=False)

    def leave(self, lease: Mapping[str, Any] | None) -> None:
        """Let it go, where it is theirs."""
        if lease and self._is_own(lease):
            self._write(lease, self._now(), released=True)

    def _is_own(self, lease: Mapping[str, Any]) -> bool:
        old = self.row
        return old is not None and (old["history"], old["session"]) == (lease["history"], lease["session"])

    def _write(self, lease: Mapping[str, Any], until: float, *, released: bool) -> None:
        self.row = {**lease, "until": until, "touched": self._now(), "released": released}
