"""What sessions will do at the most, by what the deployments say; detection may find less to do.

Counted for the question before a run, and for its brakes. Nothing is written and no computer is spoken to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.decide.detect.facts import facts_for, known_names, presumed
from immy_nornir.decide.resolve.winning_deployments import choose
from immy_nornir.model.deployments import StateKind, TaskMode
from immy_nornir.model.items import ItemKind, Platform, RebootNeed, Software
from immy_nornir.model.playbooks import ActionType, Reboot
from immy_nornir.session.inputs import candidates_of
from immy_nornir.session.specs import asked_of
from immy_nornir.text.plain import counted

if TYPE_CHECKING:
    from immy_nornir.model.deployments import Deployment
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.session.engine import Engine


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run will touch at the most, by what the deployments say; detection may find less to do."""

    computers: int
    tenants: int
    software: int
    tasks: int
    uninstalls: int
    reboots: int

    @property
    def changes(self) -> int:
        """Actions of all kinds."""
        return self.software + self.tasks + self.uninstalls

    def __str__(self) -> str:
        most = [
            counted(number, word)
            for number, word in ((self.software, "installation"), (self.uninstalls, "uninstall"), (self.tasks, "task"))
            if number
        ]
        parts = [counted(self.computers, "computer"), counted(self.tenants, "tenant")]
        if most:
            parts.append(f"at the most {', '.join(most)}")
        parts.append(f"{counted(self.reboots, 'computer')} may reboot" if self.reboots else "no reboots")
        return ", ".join(parts)


def preview(engine: Engine, specs: Iterable[SessionSpec]) -> Preview:
    """Count by resolving with the facts of the history, as the sessions will."""
    software = tasks = uninstalls = reboots = 0
    names: set[str] = set()
    tenants: set[str] = set()
    with engine.history.read() as reader:
        for spec in specs:
            if not spec.type.executes or spec.check or spec.by_hand is not None:
                continue
            names.add(spec.computer)
            tenants.add(spec.tenant)
            computer = engine.computer(spec.computer)
            known = reader.facts(spec.computer)
            facts = facts_for(presumed(spec.computer, known, Platform.WINDOWS), known)
            # Of a computer that was never seen it cannot be foreseen whether a reboot is pending.
            pending = bool(facts["pending_reboots"]) or "pending_reboots" not in known.values
            may = spec.options.reboot is Reboot.FORCE
            asked = asked_of(spec)
            variables = known_names(computer, spec.vars)
            candidates = candidates_of(engine, spec)
            for choice in choose(candidates, computer, facts, asked, variables).values():
                # What the history does not know the session may: then any of them may win.
                may_win = (choice.winner,) if choice.winner else [one.deployment for one in choice.undecided]
                if all(_only_looks(one) for one in may_win):
                    continue
                may = may or pending or _may_reboot(engine, choice.item)
                if choice.item.startswith("task/"):
                    tasks += ActionType.ENFORCE in spec.type.does and ItemKind.TASK in spec.type.looks_at
                elif all(one.state is not None and one.state.kind is StateKind.ABSENT for one in may_win):
                    uninstalls += ActionType.UNINSTALL in spec.type.does
                else:
                    software += 1
            reboots += spec.options.reboot is not Reboot.SKIP and may
    return Preview(len(names), len(tenants), software, tasks, uninstalls, reboots)


def _only_looks(winner: Deployment) -> bool:
    """Whether a deployment changes nothing: audits, monitoring, what is ignored."""
    if winner.state is not None:
        return winner.state.kind is StateKind.IGNORED
    return winner.mode is not TaskMode.ENFORCE


def _may_reboot(engine: Engine, item: str) -> bool:
    found = engine.fleet.library.items.get(item, {}).values()
    return any(
        one.reboot is not RebootNeed.NEVER and (isinstance(one, Software) or one.reboot is not None) for one in found
    )
