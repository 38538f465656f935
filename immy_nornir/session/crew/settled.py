"""How a session comes back from being advanced: it is parked, or has settled in this process; values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.decide.steps.step import Wait
from immy_nornir.model.record.session import Status

if TYPE_CHECKING:
    from immy_nornir.model.protocols import Address


@dataclass(frozen=True, slots=True)
class Parked:
    """The session waits and holds nothing; look again at `until`, or sooner when the computer answers at `address`."""

    wait: Wait
    address: Address | None = None
    news: Callable[[Callable[[], None]], bool] | None = None
    """Has a function called once when it is worth looking; True when it is already, and nothing is called."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The session has ended, in this process at least."""

    status: Status
    message: str
