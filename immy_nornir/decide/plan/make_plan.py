"""Desires + findings + options -> the plan of one computer: every item with an action and a reason; pure.

The same function makes previews, plans, and the judgement after execution: an action passes if planning again
leaves no changing action for its item.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immy_nornir.decide import versions
from immy_nornir.decide.plan import order, phases
from immy_nornir.decide.plan.actions import Decision, decide
from immy_nornir.decide.plan.job_steps import missing_method
from immy_nornir.decide.plan.order import CycleError, OrderKey
from immy_nornir.decide.plan.phases import PhaseInput
from immy_nornir.decide.plan.users import NOBODY, awaited, no_user, user_for
from immy_nornir.decide.resolve.desires import parse_state
from immy_nornir.decide.resolve.primary_user import PrimaryUser
from immy_nornir.model.deployments import Desired, StateKind, TaskMode
from immy_nornir.model.facts import Finding, FindingStatus, Identity
from immy_nornir.model.items import (
    Context,
    Item,
    ItemKind,
    OrderClass,
    OrderPlace,
    Prerequisite,
    RebootNeed,
    Software,
    Task,
)
from immy_nornir.model.plan import Desire, Held, Plan, PlannedAction, Reason, RequestKind
from immy_nornir.model.playbooks import CHANGING, READING, ActionType, MaintenanceType, Options, Reboot


@dataclass(frozen=True, slots=True)
class Planning:
    """Everything that a plan is made from; `findings` by desire id, `definitions` by content hash."""

    type: MaintenanceType
    options: Options
    identity: Identity
    desires: tuple[Desire, ...]
    definitions: Mapping[str, Item]
    findings: Mapping[str, Finding]
    fresh: frozenset[str] = frozenset()
    """Ids of desires that are new or changed since the computer's last session."""
    pending_reboots: tuple[str, ...] = ()
    primary_user: PrimaryUser = NOBODY


def to_detect(kind: MaintenanceType, desires: tuple[Desire, ...]) -> tuple[Desire, ...]:
    """The desires that a session of this type looks at: its kinds of item, and prerequisites of any kind."""
    return tuple(
        desire
        for desire in desires
        if not desire.error
        and not desire.not_applicable
        and not desire.unknown
        and not _ignored(desire)
        and (desire.kind in kind.looks_at or (kind.executes and (desire.preflight or _is_prerequisite(desire))))
    )


def _ignored(desire: Desire) -> bool:
    """Whether nobody wants to know of an item: it is ignored, and nothing that is wanted builds on it."""
    if desire.kind is ItemKind.TASK:
        return desire.mode in (TaskMode.IGNORED, None) and not _is_prerequisite(desire)
    return desire.desired is None or (desire.desired.kind is StateKind.IGNORED and not desire.requested_by)


def _is_prerequisite(desire: Desire) -> bool:
    return any(request.kind is RequestKind.PREREQUISITE for request in desire.requested_by)


def make_plan(planning: Planning) -> Plan:
    """The plan: all actions in their order, the phases of those that will be done, and the planned reboots."""
    actions, names = _settled(planning)
    edges = {one.id: frozenset(one.after) for one in actions.values()}
    ordered = sorted((actions[name] for name in names), key=lambda one: one.always)
    doing = [one for one in ordered if one.to_do]
    first = planning.options.reboot is not Reboot.SKIP and any(not one.always for one in doing)
    cut = phases.cut([PhaseInput(one.id, one.reboot) for one in doing], edges, bool(planning.pending_reboots) and first)
    number = {action_id: index for index, phase in enumerate(cut) for action_id in phase}
    placed = tuple(dataclasses.replace(one, phase=number[one.id]) if number.get(one.id) else one for one in ordered)
    return Plan(placed, tuple(cut), _reboots(planning, doing, cut))


def _reboots(planning: Planning, doing: list[PlannedAction], cut: phases.Cut) -> int:
    option = planning.options.reboot
    if option is Reboot.SKIP or not planning.type.executes:
        return 0
    counted = phases.count_reboots(cut, [PhaseInput(one.id, one.reboot) for one in doing])
    owed_at_end = counted > max(0, len(cut) - 1)
    return counted + (1 if option is Reboot.FORCE and not owed_at_end else 0)


def _settled(planning: Planning) -> tuple[dict[str, PlannedAction], list[str]]:
    """All actions, after everything that one of them means for another, and their order.

    An action that is held may leave what only it needed without need, and holds what builds on it: decided again with
    that known, until nothing changes. Each round holds at least one more.
    """
    hindered: dict[str, str] = {}
    circles: dict[str, str] = {}
    while True:
        actions = _Actions(planning, hindered, circles).all()
        try:
            names = _sorted(planning, actions)
        except CycleError as error:
            circles |= dict.fromkeys(error.ids, error.message)
            continue
        more = {one.id: why for one in actions.values() if one.to_do and (why := _hindrance(planning, actions, one))}
        if not more:
            return actions, names
        hindered |= more


def _sorted(planning: Planning, actions: Mapping[str, PlannedAction]) -> list[str]:
    priorities = {desire.id: desire.priority for desire in planning.desires}
    keys = [
        OrderKey(one.id, one.order_class, one.place, one.fresh, priorities[one.id], one.id) for one in actions.values()
    ]
    edges = {one.id: frozenset(one.after) for one in actions.values() if one.after}
    return order.sort(keys, edges, {one.id: one.follows for one in actions.values() if one.follows})


def _hindrance(planning: Planning, actions: Mapping[str, PlannedAction], action: PlannedAction) -> str:
    """Why an action cannot be done because of others; empty when it can. What always runs is hindered by nothing."""
    if action.always:
        return ""
    item = planning.definitions[action.definition]
    for need in item.prerequisites:
        other = actions.get(need.item)
        if other is None:
            continue
        definition = planning.definitions.get(other.definition)
        scheme = definition.version_scheme if isinstance(definition, Software) else ""
        why = _unmet(need, other, planning.findings.get(other.id), scheme)
        if why:
            return why
    for name in action.after:
        other = actions[name]
        # What is left for another type says nothing against what only comes after it.
        if other.held is not None and other.changing and other.held is not Held.NOT_THIS_TYPE:
            return f"{other.id} will not be done: {other.held_why}"
    return ""


def _unmet(need: Prerequisite, other: PlannedAction, finding: Finding | None, scheme: str) -> str:
    """Why a prerequisite will not be as it is needed when its requester's turn comes."""
    if other.held is not None and other.changing:
        return f"it needs {other.id}, which will not be done: {other.held_why}"
    if finding is None:
        return ""  # not applicable here: there is nothing to bring
    if other.kind is ItemKind.TASK:
        if not other.to_do and finding.status is FindingStatus.NOT_COMPLIANT:
            return f"it needs {other.id}, which is not compliant, and its own deployment says {other.desired}"
        return ""
    wanted = parse_state(need.state)
    there = other.type is not ActionType.UNINSTALL and (other.to_do or finding.status is FindingStatus.FOUND)
    if wanted.kind is StateKind.ABSENT:
        return f"it needs {other.id} to be absent, and its own deployment wants {other.desired}" if there else ""
    if not there:
        return f"it needs {other.id}, which its own deployment wants {other.desired}"
    version = (other.version if other.to_do else None) or finding.version
    if version and not versions.satisfies(version, wanted, scheme):
        return f"it needs {other.id} {wanted}, and it will be {version}: its own deployment wants {other.desired}"
    return ""


_UNDECIDED = Decision(ActionType.NONE, Reason.UP_TO_DATE, "")


@dataclass(slots=True)
class _Actions:
    planning: Planning
    hindered: Mapping[str, str]
    """Action -> why others hinder it, as far as it is known."""
    circles: Mapping[str, str]
    """Actions whose dependencies lead back to them -> the circle."""
    by_id: dict[str, Desire] = field(default_factory=dict)
    done: dict[str, PlannedAction] = field(default_factory=dict)

    def all(self) -> dict[str, PlannedAction]:
        """Requesters before what they request, so that a prerequisite knows whether it is needed."""
        self.by_id = {desire.id: desire for desire in self.planning.desires}
        for desire in self.planning.desires:
            self._action(desire, ())
        return {desire.id: self._with_edges(self.done[desire.id]) for desire in self.planning.desires}

    def _action(self, desire: Desire, path: tuple[str, ...]) -> None:
        if desire.id in self.done or desire.id in path:
            return
        for request in desire.requested_by:
            parent = self.by_id.get(request.by)
            if parent is not None:
                self._action(parent, (*path, desire.id))
        action = self._decided(desire)
        if action.changing and desire.id in self.circles:
            action = _failed(action, Reason.CONFLICT, self.circles[desire.id])
        elif action.to_do and desire.id in self.hindered:
            action = _hold(action, Held.DEPENDENCY, self.hindered[desire.id])
        self.done[desire.id] = action

    def _decided(self, desire: Desire) -> PlannedAction:
        item = self.planning.definitions.get(desire.definition)
        if desire.error:
            return _failed(self._action_of(desire, item), Reason.CONFLICT, desire.error)
        if desire.unknown:
            return _unknown(self._action_of(desire, item), Reason.UNDECIDED, desire.unknown)
        if desire.not_applicable or item is None:
            why = desire.not_applicable or "there is no definition for this computer"
            return self._action_of(desire, item, Decision(ActionType.NONE, Reason.NOT_APPLICABLE, why))
        finding = self.planning.findings.get(desire.id)
        if finding is None:
            return self._not_looked_at(self._action_of(desire, item), desire)
        decision = decide(desire, item, finding, self._architecture())
        decision = self._by_requesters(desire, item, finding, decision)
        action = self._action_of(desire, item, decision, finding)
        if decision.error:
            return _failed(action, decision.reason, decision.why)
        if decision.unknown:
            return _unknown(action, decision.reason, decision.why)
        return self._held(action, desire, item, finding)

    def _action_of(
        self, desire: Desire, item: Item | None, decision: Decision = _UNDECIDED, finding: Finding | None = None
    ) -> PlannedAction:
        """The action before anything holds it back. Built in one go: a plan has one for every item there is."""
        counts = item is not None and not desire.error and not desire.not_applicable and not desire.unknown
        about = _about(desire, item) if counts and item is not None else {}
        return PlannedAction(
            desire.id,
            desire.item,
            desire.instance,
            desire.kind,
            decision.type,
            decision.reason,
            decision.why,
            definition=desire.definition,
            desired=str(desire.desired or desire.mode or ""),
            found=decision.found,
            version=decision.version or None,
            release=decision.release,
            changes=finding.changes if finding is not None else (),
            params=desire.params,
            requested_by=desire.requested_by,
            deployment=desire.deployment,
            fresh=desire.id in self.planning.fresh,
            **about,
        )

    def _not_looked_at(self, action: PlannedAction, desire: Desire) -> PlannedAction:
        if _ignored(desire):
            return dataclasses.replace(action, reason=Reason.IGNORED, why="ignored by its deployment")
        name = self.planning.type.name
        return dataclasses.replace(
            action,
            type=ActionType.UNDETERMINED,
            reason=Reason.NOT_NEEDED,
            why=f"{name} does not look at it",
            held=Held.NOT_THIS_TYPE,
            held_why="left for full",
        )

    def _by_requesters(self, desire: Desire, item: Item, finding: Finding, decision: Decision) -> Decision:
        """What others ask of the item: a prerequisite is brought when it is needed, and only then."""
        parents = [(one.kind, self.done[one.by]) for one in desire.requested_by if one.by in self.done]
        if not parents:
            return decision
        needing = [one for kind, one in parents if kind is RequestKind.PREREQUISITE and self._works(one)]
        configures = [one for kind, one in parents if kind is RequestKind.CONFIGURATION]
        if configures and not needing:
            enforces = desire.mode is TaskMode.ENFORCE
            return self._configuration(configures, decision, own=bool(desire.deployment)) if enforces else decision
        undone = decision.error or decision.unknown or decision.type in CHANGING
        if not needing and not desire.deployment and undone:
            unknown = next((one.id for _, one in parents if one.held is Held.UNKNOWN), "")
            why = f"nothing is done for {unknown}" if unknown else "what it is a prerequisite of needs nothing done"
            return Decision(ActionType.NONE, Reason.NOT_NEEDED, why, found=decision.found)
        waits = desire.desired is not None and desire.desired.kind is StateKind.UPDATE_IF_FOUND
        if needing and waits and finding.status is FindingStatus.NOT_FOUND:
            wanted = dataclasses.replace(desire, desired=Desired(StateKind.LATEST))
            needed = decide(wanted, item, finding, self._architecture())
            return dataclasses.replace(needed, why=f"needed by {needing[0].id}: {needed.why}")
        return decision

    def _configuration(self, parents: list[PlannedAction], decision: Decision, *, own: bool) -> Decision:
        """A configuration task: decided right after its software changes, not needed where there is none."""
        if any(self._works(one) and one.type is not ActionType.UNINSTALL for one in parents):
            why = "decided right after its software"
            return Decision(ActionType.UNDETERMINED, Reason.WAITS_FOR_SOFTWARE, why, found=decision.found)
        if not own and (software := next((one for one in parents if one.held is Held.UNKNOWN), None)) is not None:
            why = f"it belongs to {software.id}, of which it is not known how it is: {software.held_why}"
            return Decision(ActionType.UNDETERMINED, Reason.WAITS_FOR_SOFTWARE, why, found=decision.found)
        present = any(one.found and one.type is not ActionType.UNINSTALL for one in parents)
        if not present and not own:
            return Decision(ActionType.NONE, Reason.NOT_NEEDED, "its software is not there", found=decision.found)
        return decision

    def _works(self, requester: PlannedAction) -> bool:
        """Whether a requester has work here, or would have it if this type did anything."""
        left = not self.planning.type.executes and requester.changing and requester.held is Held.NOT_THIS_TYPE
        return requester.to_do or left

    def _architecture(self) -> str | None:
        value = self.planning.identity.system.get("architecture")
        return value if isinstance(value, str) else None

    def _held(self, action: PlannedAction, desire: Desire, item: Item, finding: Finding) -> PlannedAction:
        planning = self.planning
        if action.type in READING and action.type not in planning.type.does and not desire.preflight:
            return _hold(action, Held.NOT_THIS_TYPE, "left for full")
        if not action.changing:
            return action
        if not planning.type.executes:
            return _hold(action, Held.NOT_THIS_TYPE, f"{planning.type.name} changes nothing")
        if action.type not in planning.type.does and not self._needed(desire):
            undecided = action.type is ActionType.UNDETERMINED and ActionType.ENFORCE in planning.type.does
            if not undecided:
                return _hold(action, Held.NOT_THIS_TYPE, "left for full")
        if planning.options.reboot is Reboot.SKIP and action.reboot in (RebootNeed.BEFORE, RebootNeed.AFTER):
            why = f"it requires a reboot {action.reboot} it, and the option reboot is skip"
            return _hold(action, Held.REBOOT_SKIPPED, why)
        if action.context is Context.USER:
            about = (planning.options, planning.identity, planning.primary_user)
            action = dataclasses.replace(action, user=awaited(planning.options, planning.primary_user))
            if not action.user and not user_for(*about):
                return _hold(action, Held.USER_CONTEXT, no_user(*about))
        missing = missing_method(action, item, finding)
        if missing:
            return _hold(action, Held.NO_METHOD, missing)
        return action

    def _needed(self, desire: Desire) -> bool:
        prerequisite = RequestKind.PREREQUISITE
        parents = [self.done.get(one.by) for one in desire.requested_by if one.kind is prerequisite]
        return any(parent is not None and parent.to_do for parent in parents)

    def _with_edges(self, action: PlannedAction) -> PlannedAction:
        item = self.planning.definitions.get(action.definition)
        if item is None or not (item.depends_on or item.prerequisites or action.requested_by):
            return action
        names = [*item.depends_on, *(need.item for need in item.prerequisites)]
        after = {one.id for name in names for one in self.done.values() if one.item == name and one.id != action.id}
        follows = ""
        for request in action.requested_by:
            if request.kind is RequestKind.CONFIGURATION and request.by in self.done:
                follows = request.by
                after.add(request.by)
        if action.id in self.circles:
            after -= self.circles.keys()
        if not after and not follows:
            return action
        return dataclasses.replace(action, after=tuple(sorted(after)), follows=follows)


def _about(desire: Desire, item: Item) -> dict[str, Any]:
    """What the definition says of an action's place and manner."""
    wanted = OrderClass.SOFTWARE if isinstance(item, Software) else item.order_class
    if _is_prerequisite(desire):
        wanted = OrderClass.PREREQUISITE
    place = item.order
    if desire.onboarding and wanted is not OrderClass.POST:
        wanted, place = OrderClass.PREREQUISITE, OrderPlace.FIRST
    return {
        "order_class": wanted,
        "place": place,
        "reboot": item.reboot,
        "context": item.context,
        "always": isinstance(item, Task) and item.always,
        "timeout_seconds": item.timeout_seconds,
    }


def _failed(action: PlannedAction, reason: Reason, why: str) -> PlannedAction:
    held = Held.NO_METHOD
    return dataclasses.replace(action, type=ActionType.UNDETERMINED, reason=reason, why=why, held=held, held_why=why)


def _unknown(action: PlannedAction, reason: Reason, why: str) -> PlannedAction:
    undecided = ActionType.UNDETERMINED
    return dataclasses.replace(action, type=undecided, reason=reason, why=why, held=Held.UNKNOWN, held_why=why)


def _hold(action: PlannedAction, held: Held, why: str) -> PlannedAction:
    return dataclasses.replace(action, held=held, held_why=why)
