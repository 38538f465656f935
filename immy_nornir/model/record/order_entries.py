"""The entries that come of orders from other shells (model.orders), and of what is done about them. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ordered:
    """Who ordered something, and why; when is the entry's own time."""

    order: int
    """The number of the order: none is taken in twice."""
    by: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}" if self.reason else self.by


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Nothing new begins after the action under way; `now`: its job is stopped where its kind allows that."""

    ordered: Ordered
    now: bool = False
    kill: bool = False
    """Installers and package managers are stopped, too."""


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """Nothing new begins until the pause is lifted, or its time is over."""

    ordered: Ordered
    until: float | None = None


@dataclass(frozen=True, slots=True)
class PauseLifted:
    """The session may go on; `ordered` None: the time of its pause is over."""

    ordered: Ordered | None = None


@dataclass(frozen=True, slots=True)
class RebootOrdered:
    """The computer is rebooted between two actions; `now`: whatever its window and its business hours say."""

    ordered: Ordered
    now: bool = False


@dataclass(frozen=True, slots=True)
class JobStopAsked:
    """The computer was told to end the job that is under way."""

    job_id: str


OrderEntry = CancelAsked | PauseAsked | PauseLifted | RebootOrdered
