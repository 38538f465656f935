"""Desires + findings + options -> the plan of one computer: every item with an action and a reason; pure.

The same function makes previews, plans, and the judgement after execution: an action passes if planning again
leaves no changing action for its item.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.decide import order, phases
from immy_nornir.decide.actions import Decision, decide
from immy_nornir.decide.order import OrderKey
from immy_nornir.decide.phases import PhaseInput
from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import Desired, StateKind, TaskMode
from immy_nornir.model.facts import Finding, FindingStatus, Identity
from immy_nornir.model.items import (
    Context,
    Item,
    ItemKind,
    OrderClass,
    PackageManager,
    RebootNeed,
    Scripts,
    Software,
    Task,
)
from immy_nornir.model.plan import Desire, Held, Plan, PlannedAction, Reason
from immy_nornir.model.playbooks import ActionType, MaintenanceType, Options, Reboot, UserContext


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
    primary_user: str = ""


def to_detect(kind: MaintenanceType, desires: tuple[Desire, ...]) -> tuple[Desire, ...]:
    """The desires that a session of this type looks at: its kinds of item, and prerequisites of any kind."""
    return tuple(
        desire
        for desire in desires
        if not desire.error
        and not desire.not_applicable
        and not _ignored(desire)
        and (desire.kind in kind.looks_at or (kind.executes and _is_prerequisite(desire)))
    )


def _ignored(desire: Desire) -> bool:
    if desire.kind is ItemKind.TASK:
        return desire.mode in (TaskMode.IGNORED, None)
    return desire.desired is None or (desire.desired.kind is StateKind.IGNORED and not desire.requested_by)


def _is_prerequisite(desire: Desire) -> bool:
    return any(why.startswith("prerequisite of ") for why in desire.requested_by)


def make_plan(planning: Planning) -> Plan:
    """The plan: all actions in their order, the phases of those that will be done, and the planned reboots."""
    actions = _Actions(planning)
    decided = actions.all()
    ordered, edges = _ordered(decided)
    doing = [one for one in ordered if one.to_do and not one.always]
    pending = (
        bool(planning.pending_reboots) and planning.options.reboot in (Reboot.AUTOMATIC, Reboot.FORCE) and bool(doing)
    )
    cut = phases.cut([PhaseInput(one.id, one.reboot) for one in doing], edges, pending)
    number = {action_id: index for index, phase in enumerate(cut) for action_id in phase}
    placed = tuple(dataclasses.replace(one, phase=number.get(one.id, 0)) for one in ordered)
    return Plan(placed, tuple(cut), _reboots(doing, cut, planning.options))


def _reboots(doing: list[PlannedAction], cut: list[tuple[str, ...]], options: Options) -> int:
    if options.reboot is Reboot.SKIP:
        return 0
    between = max(0, len(cut) - 1)
    last = set(cut[-1]) if cut else set[str]()
    owed = any(one.reboot is RebootNeed.AFTER and one.id in last for one in doing)
    return between + (1 if owed or options.reboot is Reboot.FORCE else 0)


def _ordered(actions: Mapping[str, PlannedAction]) -> tuple[list[PlannedAction], dict[str, frozenset[str]]]:
    edges = {one.id: frozenset(one.after) for one in actions.values()}
    follows = {one.id: one.follows for one in actions.values() if one.follows}
    keys = [OrderKey(one.id, one.order_class, one.place, one.fresh, 0, one.id) for one in actions.values()]
    try:
        names = order.sort(keys, edges, follows)
    except ImmyError as error:
        names, circle = sorted(actions), error.message
        broken = {
            name: dataclasses.replace(actions[name], held=Held.DEPENDENCY, held_why=circle)
            for name in names
            if actions[name].changing
        }
        return [broken.get(name, actions[name]) for name in names], edges
    return [actions[name] for name in names], edges


@dataclass(slots=True)
class _Actions:
    planning: Planning
    by_id: dict[str, Desire] = field(default_factory=dict)
    done: dict[str, PlannedAction] = field(default_factory=dict)

    def all(self) -> dict[str, PlannedAction]:
        """Requesters before what they request, so that a prerequisite knows whether it is needed."""
        self.by_id = {desire.id: desire for desire in self.planning.desires}
        for desire in self.planning.desires:
            self._action(desire, ())
        return {desire.id: self._with_edges(self.done[desire.id]) for desire in self.planning.desires}

    def _action(self, desire: Desire, path: tuple[str, ...]) -> PlannedAction:
        if desire.id in self.done:
            return self.done[desire.id]
        if desire.id not in path:
            for why in desire.requested_by:
                parent = self.by_id.get(why.partition(" of ")[2])
                if parent is not None:
                    self._action(parent, (*path, desire.id))
        action = self._decided(desire)
        self.done[desire.id] = action
        return action

    def _decided(self, desire: Desire) -> PlannedAction:
        item = self.planning.definitions.get(desire.definition)
        action = PlannedAction(
            desire.id,
            desire.item,
            desire.instance,
            desire.kind,
            ActionType.NONE,
            Reason.UP_TO_DATE,
            "",
            definition=desire.definition,
            desired=str(desire.desired or desire.mode or ""),
            params=desire.params,
            requested_by=desire.requested_by,
            deployment=desire.deployment,
            fresh=desire.id in self.planning.fresh,
        )
        if desire.error:
            return _failed(action, Reason.CONFLICT, desire.error)
        if desire.not_applicable or item is None:
            why = desire.not_applicable or "there is no definition for this computer"
            return dataclasses.replace(action, reason=Reason.NOT_APPLICABLE, why=why)
        action = _described(action, desire, item)
        finding = self.planning.findings.get(desire.id)
        if finding is None:
            return self._not_looked_at(action, desire)
        architecture = self.planning.identity.system.get("architecture")
        decision = decide(desire, item, finding, architecture if isinstance(architecture, str) else None)
        decision = self._by_requesters(desire, item, finding, decision)
        action = dataclasses.replace(
            action,
            type=decision.type,
            reason=decision.reason,
            why=decision.why,
            found=decision.found,
            version=decision.version or None,
            release=decision.release,
            changes=finding.changes,
        )
        if decision.error:
            return _failed(action, decision.reason, decision.why)
        return self._held(action, desire, item)

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
        parents = [
            (kind, self.done[parent])
            for kind, _, parent in (why.partition(" of ") for why in desire.requested_by)
            if parent in self.done
        ]
        if not parents:
            return decision
        working = [one for _, one in parents if one.to_do]
        configures = [one for kind, one in parents if kind == "configuration"]
        if configures:
            return _configuration(configures, decision, own=bool(desire.deployment))
        own = desire.desired is not None and desire.desired.kind not in (StateKind.UPDATE_IF_FOUND, StateKind.IGNORED)
        if not desire.deployment and decision.type in (ActionType.INSTALL, ActionType.ENFORCE) and not working:
            return Decision(
                ActionType.NONE,
                Reason.NOT_NEEDED,
                "what it is a prerequisite of needs nothing done",
                found=decision.found,
            )
        if working and not own and isinstance(item, Software) and finding.status is FindingStatus.NOT_FOUND:
            wanted = dataclasses.replace(desire, desired=Desired(StateKind.LATEST))
            needed = decide(wanted, item, finding)
            return dataclasses.replace(needed, why=f"needed by {working[0].item}: {needed.why}")
        return decision

    def _held(self, action: PlannedAction, desire: Desire, item: Item) -> PlannedAction:
        planning = self.planning
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
        if action.context is Context.USER and not user_for(planning.options, planning.identity, planning.primary_user):
            return _hold(action, Held.USER_CONTEXT, _no_user(planning))
        missing = _missing_method(action, item)
        if missing:
            return _hold(action, Held.NO_METHOD, missing)
        return action

    def _needed(self, desire: Desire) -> bool:
        parents = [
            self.done.get(why.partition(" of ")[2]) for why in desire.requested_by if why.startswith("prerequisite")
        ]
        return any(parent is not None and parent.to_do for parent in parents)

    def _with_edges(self, action: PlannedAction) -> PlannedAction:
        item = self.planning.definitions.get(action.definition)
        if item is None:
            return action
        names = [*item.depends_on, *(need.item for need in item.prerequisites)]
        after = {one.id for name in names for one in self.done.values() if one.item == name and one.id != action.id}
        follows = ""
        for why in action.requested_by:
            kind, _, parent = why.partition(" of ")
            if kind == "configuration" and parent in self.done:
                follows = parent
                after.add(parent)
        action = dataclasses.replace(action, after=tuple(sorted(after)), follows=follows)
        held = next(
            (self.done[one] for one in action.after if self.done[one].held is not None and self._must(action, one)),
            None,
        )
        if action.to_do and held is not None and held.changing:
            return _hold(action, Held.DEPENDENCY, f"{held.item} will not be done: {held.held_why}")
        return action

    def _must(self, action: PlannedAction, other: str) -> bool:
        return self.done[other].reason is not Reason.NOT_NEEDED


def _configuration(parents: list[PlannedAction], decision: Decision, *, own: bool) -> Decision:
    """A configuration task: after a change of its software it is decided in the session, without the software not at all."""
    if any(one.to_do and one.type is not ActionType.UNINSTALL for one in parents) and not decision.error:
        why = "decided right after its software"
        return Decision(ActionType.UNDETERMINED, Reason.WAITS_FOR_SOFTWARE, why, found=decision.found)
    present = any(one.found and one.type is not ActionType.UNINSTALL for one in parents)
    if not present and not own:
        return Decision(ActionType.NONE, Reason.NOT_NEEDED, "its software is not there")
    return decision


def _described(action: PlannedAction, desire: Desire, item: Item) -> PlannedAction:
    wanted = OrderClass.SOFTWARE if isinstance(item, Software) else item.order_class
    if any(why.startswith("prerequisite of ") for why in desire.requested_by):
        wanted = OrderClass.PREREQUISITE
    return dataclasses.replace(
        action,
        order_class=wanted,
        place=item.order,
        reboot=item.reboot,
        context=item.context,
        always=isinstance(item, Task) and item.always,
        timeout_seconds=item.timeout_seconds,
    )


def _failed(action: PlannedAction, reason: Reason, why: str) -> PlannedAction:
    held = Held.NO_METHOD
    return dataclasses.replace(action, type=ActionType.UNDETERMINED, reason=reason, why=why, held=held, held_why=why)


def _hold(action: PlannedAction, held: Held, why: str) -> PlannedAction:
    return dataclasses.replace(action, held=held, held_why=why)


def user_for(options: Options, identity: Identity, primary: str) -> str:
    """As whom an action in user context runs; empty: as nobody."""
    users = identity.users
    match options.user_context:
        case UserContext.CURRENT_USER:
            return users[0] if users else ""
        case UserContext.PRIMARY_USER:
            return next((one for one in users if primary and one.lower() == primary.lower()), "")
        case UserContext.SKIP:
            return ""


def _no_user(planning: Planning) -> str:
    match planning.options.user_context:
        case UserContext.SKIP:
            return "it runs as a user, and the option user_context is skip"
        case UserContext.PRIMARY_USER if not planning.primary_user:
            return "it runs as the primary user, and none is known (set immy_primary_user)"
        case UserContext.PRIMARY_USER:
            return f"it runs as the primary user {planning.primary_user}, who is not logged on"
        case UserContext.CURRENT_USER:
            return "it runs as the current user, and nobody is logged on"


def _missing_method(action: PlannedAction, item: Item) -> str:
    """Why an action has no way of being done, or nothing."""
    if isinstance(item, Task):
        if isinstance(item.body, Scripts) and item.body.set is None:
            return "the task has no 'set' script"
        return ""
    manager = item.package or (item.detection if isinstance(item.detection, PackageManager) else None)
    match action.type:
        case ActionType.UNINSTALL:
            return ""
        case ActionType.REPAIR if item.repair is not None and item.repair.script is not None:
            return ""
        case _:
            has_file = action.release is not None and action.release.url is not None
            if manager is not None or item.install.script is not None or has_file:
                return ""
            return "there is no url, package manager or install script to install it with"
