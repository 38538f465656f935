"""Where somebody looks who watches, and what a key makes of it; pure: nothing is read, drawn or ordered here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from immy_nornir.model.control.orders import OrderKind


class Page(StrEnum):
    """What is on the screen."""

    PICTURE = "picture"
    COMPUTERS = "computers"
    TENANTS = "tenants"
    COMPUTER = "computer"
    ACTIONS = "actions"
    """All actions of the computer."""


TENANT = "tenant:"
"""How a filter begins that means exactly one tenant."""
_LISTS = (Page.COMPUTERS, Page.TENANTS)
_ORDERS = {"p": OrderKind.PAUSE, "r": OrderKind.RESUME, "c": OrderKind.CANCEL}


@dataclass(frozen=True, slots=True)
class Look:
    """Where somebody looks."""

    page: Page = Page.PICTURE
    alone: bool = False
    """One computer is watched, and there is no other page to go back to."""
    at: int = 0
    """The line of a list that is chosen; on the pages of a computer, how far it is scrolled."""
    filter: str = ""
    typing: bool = False
    """A filter is being typed."""
    session: str = ""
    """The session of the computer that is looked at."""
    order: OrderKind | None = None
    """What the last key orders."""
    ended: bool = False

    @property
    def is_list(self) -> bool:
        """Whether lines can be chosen."""
        return self.page in _LISTS


def pressed(look: Look, key: str, ids: list[str], lines: int) -> Look:
    """Where one looks after a key. `ids` are those of the list that is shown, `lines` how many are seen at once."""
    look = replace(look, order=None)
    if look.typing:
        return _typed(look, key)
    if key in ("q", "gone"):
        return replace(look, ended=True)
    if key in _ORDERS:
        return replace(look, order=_ORDERS[key])
    if key == "escape":
        return _back(look)
    if key == "/" and look.page not in (Page.COMPUTER, Page.ACTIONS):
        return replace(look, page=Page.COMPUTERS, typing=True, at=0)
    if key == "t" and not look.alone:
        return replace(look, page=Page.PICTURE if look.page is Page.TENANTS else Page.TENANTS, at=0)
    if key in ("a", "tab") and look.page in (Page.COMPUTER, Page.ACTIONS):
        return replace(look, page=Page.COMPUTER if look.page is Page.ACTIONS else Page.ACTIONS, at=0)
    if key == "enter":
        return _entered(look, ids)
    return _moved(look, key, len(ids), lines)


def _typed(look: Look, key: str) -> Look:
    match key:
        case "enter":
            return replace(look, typing=False)
        case "escape":
            return replace(look, typing=False, filter="")
        case "backspace":
            return replace(look, filter=look.filter[:-1])
        case "gone":
            return replace(look, ended=True)
        case _:
            return replace(look, filter=look.filter + key, at=0) if len(key) == 1 else look


def _back(look: Look) -> Look:
    if look.page is Page.ACTIONS:
        return replace(look, page=Page.COMPUTER, at=0)
    if look.alone or look.page is Page.PICTURE:
        return look
    if look.page is Page.COMPUTER:
        return replace(look, page=Page.COMPUTERS, at=0)
    if look.filter:
        return replace(look, filter="", at=0)
    return replace(look, page=Page.PICTURE, at=0)


def _entered(look: Look, ids: list[str]) -> Look:
    if look.page is Page.PICTURE:
        return replace(look, page=Page.COMPUTERS, at=0)
    if not look.is_list or not ids:
        return look
    chosen = ids[min(look.at, len(ids) - 1)]
    if look.page is Page.TENANTS:
        return replace(look, page=Page.COMPUTERS, filter=f"{TENANT}{chosen}", at=0)
    return replace(look, page=Page.COMPUTER, session=chosen, at=0)


def _moved(look: Look, key: str, count: int, lines: int) -> Look:
    steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -lines, "page down": lines, "home": -count, "end": count}
    if key not in steps:
        return look
    if look.page is Page.PICTURE:
        return replace(look, page=Page.COMPUTERS, at=0)
    step = steps[key]
    if look.page is Page.COMPUTER:  # the newest is at the end: up is back
        step = -step
    return replace(look, at=max(0, min(look.at + step, max(count - 1, 0))))


def foot_of(look: Look, chosen: str) -> tuple[str, str]:
    """What the keys do; `chosen` is what an order would touch."""
    orders = f"q quit  p pause  r resume  c cancel: {chosen}"
    if look.typing:
        return f"/{look.filter}_", "enter keep  escape all  (tenant:NAME means exactly one)"
    match look.page:
        case Page.PICTURE:
            keys = "enter computers  / filter  t tenants"
        case Page.COMPUTERS:
            keys = "up, down choose  enter its actions  / filter  t tenants  escape back"
        case Page.TENANTS:
            keys = "up, down choose  enter its computers  escape back"
        case Page.COMPUTER:
            keys = "up, down scroll  a all actions" + ("" if look.alone else "  escape back")
        case Page.ACTIONS:
            keys = "up, down scroll  a back"
    return keys, orders
