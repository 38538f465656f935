"""Limits x computer -> the slots that its session needs: to be worked on, to reboot, for an item; pure.

A name of a site counts inside its tenant: customers call their sites alike. Not here: who has a slot
(session.limits), and when one is needed (decide.steps.room).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from immy_nornir.model.control.limits import GroupLimit, Limits, Per, Slot
from immy_nornir.model.items import Item, Software


@dataclass(frozen=True, slots=True)
class Member:
    """Where a computer belongs."""

    computer: str
    tenant: str
    site: str = ""
    groups: tuple[str, ...] = ()

    @property
    def at(self) -> str:
        """Its site, with the tenant before it."""
        return f"{self.tenant}/{self.site}" if self.site else self.tenant

    def within(self, per: Per) -> str:
        """Whom its group's limits count for, as the end of a name."""
        match per:
            case Per.FLEET:
                return ""
            case Per.TENANT:
                return f" of {self.tenant}"
            case Per.SITE:
                return f" at {self.at}"


@dataclass(frozen=True, slots=True)
class Needs:
    """What one computer's session needs of the limits."""

    work: tuple[Slot, ...] = ()
    """To be worked on at all."""
    reboot: tuple[Slot, ...] = ()
    after: tuple[str, ...] = ()
    """Groups whose sessions are done before it reboots, each as `counts_as` names them."""
    counts_as: tuple[str, ...] = ()
    """As what its own session holds others' reboots back."""
    download: Slot | None = None
    heavy_mb: float = 0.0
    connections_per_second: float = 0.0


NOTHING = Needs()


def needs_of(limits: Limits, member: Member) -> Needs:
    """What a computer's session needs, by the limits of the moment."""
    groups = frozenset(member.groups)
    own = [one for one in limits.groups if one.group in groups]
    download = None
    if limits.downloads_per_site:
        about = f"at most {limits.downloads_per_site} heavy {_plural(limits.downloads_per_site, 'download')} at once"
        download = Slot(f"downloads at {member.at}", limits.downloads_per_site, f"{about} at {member.at}")
    return Needs(
        tuple(_work(limits, own, member)),
        tuple(_reboots(own, member)),
        tuple(f"{name}{member.within(one.per)}" for one in own for name in one.reboot_after),
        tuple(_counts_as(limits, groups, member)),
        download,
        limits.heavy_mb,
        limits.connections_per_second,
    )


def of_item(needs: Needs, item: Item) -> tuple[Slot, ...]:
    """What work on an item needs beside."""
    once = (
        (Slot(f"item {item.reference}", 1, f"{item.reference} once at a time in the fleet", shared=True),)
        if item.once_at_a_time
        else ()
    )
    heavy = isinstance(item, Software) and item.download_mb is not None and item.download_mb >= needs.heavy_mb
    return (*once, needs.download) if heavy and needs.download is not None else once


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"


def _work(limits: Limits, own: list[GroupLimit], member: Member) -> Iterator[Slot]:
    def slot(most: int, who: str) -> Slot:
        return Slot(f"computers{who}", most, f"at most {most} {_plural(most, 'computer')} at once{who}")

    if limits.computers:
        yield slot(limits.computers, "")
    if limits.per_tenant:
        yield slot(limits.per_tenant, f" of tenant {member.tenant}")
    if limits.per_site:
        yield slot(limits.per_site, f" at {member.at}")
    for one in own:
        if one.computers:
            yield slot(one.computers, f" of {one.group}{member.within(one.per)}")


def _reboots(own: list[GroupLimit], member: Member) -> Iterator[Slot]:
    for one in own:
        if one.max_rebooting:
            who, most = f"{one.group}{member.within(one.per)}", one.max_rebooting
            about = f"at most {most} {_plural(most, 'computer')} of {who} at once in a reboot"
            yield Slot(f"reboots of {who}", most, about, shared=True)


def _counts_as(limits: Limits, groups: frozenset[str], member: Member) -> Iterator[str]:
    named = {(name, one.per) for one in limits.groups for name in one.reboot_after if name in groups}
    for name, per in sorted(named):
        yield f"{name}{member.within(per)}"
