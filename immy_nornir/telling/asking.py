"""Questions of telling to the history, which wait for nobody long: whatever they are for can be done later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from immy_nornir.history.tables.tellings import SECONDS

if TYPE_CHECKING:
    from immy_nornir.history.store import History

T = TypeVar("T")


def asked(history: History, question: Callable[[Any], T]) -> T:
    """What a function of `history.tables` answers. Raises: HistoryError where another program holds the file."""
    return history.ask(question, SECONDS)
