"""`playbooks/deployments/**/*.yml` -> deployments, with their scope.

Not here: whether items, groups and parameters exist (`checks`), and which deployment wins (`decide`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immy_nornir.decide.resolve import patterns
from immy_nornir.fleet.library.item_parts import REFERENCE
from immy_nornir.model.deployments import Deployment, Desired, Enforcement, Scope, StateKind, TaskMode
from immy_nornir.model.inventory import DEFAULT_TENANT, Inventory
from immy_nornir.shapes.files import Source, did_you_mean
from immy_nornir.shapes.forms import Built, Form, Key, ListOf, MapOf, Record, WithPlace
from immy_nornir.shapes.scalars import FLAG, TEXT, Choice, Number, Schema, Text, Unreadable, refuse
from immy_nornir.text.yaml import FLOAT, INT, Node, ScalarNode

_WORDS = {str(kind): kind for kind in StateKind if kind not in (StateKind.EXACT, StateKind.AT_LEAST, StateKind.AT_MOST)}
_WANTS_STATE = f'a state: {", ".join(_WORDS)}, or a version in quotes such as "24.08", ">=24.08", "<=24.08"'


def parse_state(text: str) -> Desired | None:
    """The state that a text says; None when it is none: `latest`, `"24.08"`, `">=24.08"`, `"<=24.08"` and so on."""
    text = text.strip()
    if text in _WORDS:
        return Desired(_WORDS[text])
    match = re.fullmatch(r"(>=|<=|==?)?\s*([^\s<>=]+)", text)
    # A version without any digit would be a misspelled word that then is "not available".
    if match is None or not any(character.isdigit() for character in match[2]):
        return None
    kinds = {">=": StateKind.AT_LEAST, "<=": StateKind.AT_MOST}
    return Desired(kinds.get(match[1] or "", StateKind.EXACT), match[2])


@dataclass(frozen=True, slots=True)
class _State:
    """A desired state of software."""

    wants: str = _WANTS_STATE

    def read(self, node: Node, source: Source) -> Desired:
        if isinstance(node, ScalarNode) and node.tag in (INT, FLOAT):
            raise refuse(node, source, "a version", f'quote it: "{node.value}" (a number loses its last zeros)')
        desired = parse_state(Text(self.wants).read(node, source))
        if desired is None:
            raise refuse(node, source, self.wants, did_you_mean(node.value, _WORDS))
        return desired

    def schema(self) -> Schema:
        words = "|".join(_WORDS)
        return {"type": "string", "pattern": rf"^\s*(?:{words}|(?:>=|<=|==?)?\s*[^\s<>=]*\d[^\s<>=]*)\s*$"}


PATTERN = ListOf(Text("a pattern of computers and groups"), single=True, filled=True)
"""A host pattern, or a list of them."""


def joined(parts: Sequence[str]) -> str:
    """One pattern from a list of them, as Ansible takes a list: each is split by itself."""
    return parts[0] if len(parts) == 1 else ",".join(piece for part in parts for piece in patterns.split(part))


ITEM = Key("item", REFERENCE, "software/NAME or task/NAME.", required=True)
TARGET = Key("target", PATTERN, "Pattern of computers and groups, such as tenants:!lab.", required=True)
SCOPE = Key("scope", Choice(Scope), "How narrow it aims; derived from the target if not said.")
WHERE = Key(
    "where",
    TEXT,
    "Expression over variables and facts, such as facts.chassis == 'laptop'; where a fact is not known and could "
    "change the winner, the item is unknown (facts.chassis | default('') says otherwise).",
)
STATE = Key("state", _State(), "Software: the desired state; latest if not said.")
MODE = Key("mode", Choice(TaskMode), "Task: enforce (if not said), audit, monitor or ignored.")
ENFORCEMENT = Key("enforcement", Choice(Enforcement), "required (if not said), onboarding, adhoc or optional.")
PARAMS = Key("params", MapOf(WithPlace(), key_wants="a parameter's name"), "Values for the item's parameters.")
PRIORITY = Key("priority", Number("a whole number", whole=True), "Higher wins inside a scope; 0 if not said.")
INSTANCE = Key("instance", TEXT, "Name of this one, where one task is deployed several times.")
PREFLIGHT = Key("preflight", FLAG, "Task: true: it is only looked at, and nothing begins before it is so.")
NOTE = Key("note", TEXT, "Why it is so, for people.")

_KEYS: tuple[Key[object], ...] = (
    ITEM, TARGET, SCOPE, WHERE, STATE, MODE, ENFORCEMENT, PARAMS, PRIORITY, INSTANCE, PREFLIGHT, NOTE,
)  # fmt: skip


_LATER = {"rings": "it would reach everybody; narrow the target to a group for now"}


def _deployment(record: Record) -> Deployment:
    item, target = record.get(ITEM), record.get(TARGET)
    if item is None or target is None:
        raise Unreadable
    software = item.startswith("software/")
    if software and record.has(MODE):
        record.error(MODE, f"'mode' stands at {item}", "software has a 'state:'; tasks have modes")
    if not software and record.has(STATE):
        record.error(STATE, f"'state' stands at {item}", "a task has a 'mode:'; software has states")
    if software and record.has(PREFLIGHT):
        record.error(PREFLIGHT, f"'preflight' stands at {item}", "only tasks can be looked at before anything begins")
    return Deployment(
        item=item,
        target=joined(target),
        place=record.place(),
        scope=record.take(SCOPE, Scope.ALL),
        where=record.get(WHERE),
        state=record.take(STATE, Desired(StateKind.LATEST)) if software else None,
        mode=None if software else record.take(MODE, TaskMode.ENFORCE),
        enforcement=record.take(ENFORCEMENT, Enforcement.REQUIRED),
        params=record.take(PARAMS, {}),
        priority=int(record.take(PRIORITY, 0)),
        instance=record.take(INSTANCE, ""),
        note=record.take(NOTE, ""),
        preflight=record.take(PREFLIGHT, False) and not software,
    )


@dataclass(frozen=True, slots=True)
class Read:
    """A deployment with whether its file says the scope."""

    deployment: Deployment
    scope_said: bool


DEPLOYMENTS = ListOf(
    Built(Form("a deployment", _KEYS, _LATER), lambda record: Read(_deployment(record), scope_said=record.has(SCOPE)))
)


def read_deployments(node: Node, source: Source) -> list[Read]:
    """All readable deployments of one file."""
    try:
        return list(DEPLOYMENTS.read(node, source))
    except Unreadable:
        return []


def tenant_groups(inventory: Inventory) -> frozenset[str]:
    """Groups that hold exactly one tenant: those directly below `tenants`, and groups with the name of a tenant."""
    below = inventory.groups["tenants"].children if "tenants" in inventory.groups else ()
    named = {each.tenant for each in inventory.computers.values()} - {DEFAULT_TENANT}
    return frozenset(below) | (named & frozenset(inventory.groups))


def derive_scope(target: str, inventory: Inventory, tenants: frozenset[str]) -> Scope:
    """The scope of a target: computer or tenant where it names exactly one, else all.

    `&` and `!` only narrow: `smile_dental:&laptops` is of tenant scope, for it reaches nobody else.
    """
    terms = patterns.split(target)
    wide = [term for term in terms if not term.startswith(("&", "!"))]
    if len(wide) != 1:
        return Scope.ALL
    names: Mapping[str, object] = inventory.computers
    if wide[0] in names:
        return Scope.COMPUTER
    narrowed = [term[1:] for term in terms if term.startswith("&")]
    if any(term in names for term in narrowed):
        return Scope.COMPUTER
    if wide[0] in tenants or any(term in tenants for term in narrowed):
        return Scope.TENANT
    return Scope.ALL
