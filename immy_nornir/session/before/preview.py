"""What sessions will do at the most, by what the deployments say, and how long it may take, by what took how long.

Counted for the question before a run, and for its brakes; detection may find less to do. Nothing is written and no
computer is spoken to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.decide.detect.facts import facts_for, known_names, presumed
from immy_nornir.decide.holds import in_force, sentence
from immy_nornir.decide.plan.outlook import LAST, Estimate, by_actions, by_sessions, outlook
from immy_nornir.decide.resolve.primary_user import of_computer, with_primary
from immy_nornir.decide.resolve.winning_deployments import choose
from immy_nornir.decide.steps.state import reported_zone
from immy_nornir.decide.times import windows
from immy_nornir.decide.times.time_zones import own_zone
from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import StateKind, TaskMode
from immy_nornir.model.items import ItemKind, Platform, RebootNeed, Software
from immy_nornir.model.playbooks import ActionType, Reboot
from immy_nornir.session.before.inputs import candidates_of
from immy_nornir.session.before.specs import asked_of
from immy_nornir.text.plain import and_more, counted

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.model.control.holds import Hold
    from immy_nornir.model.deployments import Deployment
    from immy_nornir.model.plan import Outlook, Plan
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.model.values import Value
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
            identity = presumed(spec.computer, known, Platform.WINDOWS)
            variables: Mapping[str, Value] = known_names(computer, spec.vars)
            whose = of_computer(variables, None, identity.system, known.sightings)
            facts = facts_for(identity, known, whose.fact)
            variables = with_primary(variables, whose.fact)
            # Of a computer that was never seen it cannot be foreseen whether a reboot is pending.
            pending = bool(facts["pending_reboots"]) or "pending_reboots" not in known.values
            may = spec.options.reboot is Reboot.FORCE
            asked = asked_of(spec)
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


# --- how long it may take -------------------------------------------------------------------------------------

_TOLD = 5
_NAMED = 3


def of_plan(engine: Engine, state: State, plan: Plan) -> Outlook | None:
    """How long a plan may take, and whether it fits into its window; None where nobody knows."""
    items = [one.item for one in plan.actions if one.to_do]
    with engine.history.read() as reader:
        known = {one: reader.took_item(one, LAST) for one in set(items)}
    spec = state.spec
    reported = reported_zone(state)
    return _outlook(engine, spec, reported, by_actions(items, known), engine.holds_of(spec, reported))


def warnings(engine: Engine, specs: Iterable[SessionSpec]) -> Iterator[str]:
    """What is worth knowing before a run: computers that are held, and work that may not fit by earlier sessions."""
    told: dict[str, list[str]] = {}
    with engine.history.read() as reader:
        for spec in specs:
            if not spec.type.executes or spec.check:
                continue
            system = reader.facts(spec.computer).values.get("system")
            reported = system.get("time_zone") if isinstance(system, dict) else None
            kept = engine.holds_of(spec, reported)
            if (now := in_force(kept, engine.clock.now())) is not None:
                told.setdefault(sentence(now, spec.time_zone or str(reported or "")), []).append(spec.computer)
            took = by_sessions(reader.took_sessions(spec.computer, spec.type.name, LAST))
            found = _outlook(engine, spec, reported, took, kept)
            if found is not None and not found.fits:
                told.setdefault(found.text, []).append(spec.computer)
    for text, names in list(told.items())[:_TOLD]:
        more = and_more(len(names) - _NAMED)
        yield f"{', '.join(names[:_NAMED])}{more}: {text}"
    if len(told) > _TOLD:
        yield f"and {len(told) - _TOLD} more such warnings"


def _outlook(
    engine: Engine, spec: SessionSpec, reported: object, estimate: Estimate | None, kept: Iterable[Hold]
) -> Outlook | None:
    try:
        window = spec.options.window
        zone = "" if window == "now" else own_zone(spec.time_zone, reported)
        hours = windows.parse_business_hours(spec.business_hours) if spec.business_hours is not None else None
        return outlook(estimate, window, hours, zone, engine.clock.now(), kept)
    except ImmyError:
        return None  # the session will say it
