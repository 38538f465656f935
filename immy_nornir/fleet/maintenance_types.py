"""`playbooks/types.yml` -> the fleet's own maintenance types, beside the built-in ones."""

from __future__ import annotations

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES, problems_of_chain
from immy_nornir.model.items import ItemKind
from immy_nornir.model.playbooks import CHANGING, ActionType, MaintenanceType, Stage
from immy_nornir.shapes.files import Source
from immy_nornir.shapes.forms import Built, Form, Key, ListOf, Record
from immy_nornir.shapes.scalars import TEXT, Choice, Text, Unreadable
from immy_nornir.text.yaml import Node

NAME = Key("name", Text("a name of letters, digits, _ and -", r"[A-Za-z][\w-]*"), "What plays call it.", required=True)
STAGES = Key("stages", ListOf(Choice(Stage), filled=True), "The chain of stages, in order.", required=True)
LOOKS_AT = Key("looks_at", ListOf(Choice(ItemKind)), "software, task; both if not said.")
DOES = Key(
    "does", ListOf(Choice(ActionType, (ActionType.RUN,))), "The kinds of action that it may do; none if not said."
)
ABOUT = Key("description", TEXT, "What it is for.")


def _type(record: Record) -> MaintenanceType:
    name, stages = record.get(NAME), record.get(STAGES)
    if name is None or stages is None:
        raise Unreadable
    for sentence in problems_of_chain(stages):
        record.error(STAGES, sentence)
    does = frozenset(record.take(DOES, ()))
    if does & CHANGING and Stage.EXECUTE not in stages:
        changing = ", ".join(sorted(does & CHANGING))
        record.error(DOES, f"it may do {changing}, but its chain has no stage 'execute'", "add 'execute' and 'verify'")
    if name in BUILT_IN_TYPES:
        record.error(NAME, f"'{name}' is a built-in maintenance type", "choose another name")
    return MaintenanceType(
        name=name,
        stages=stages,
        looks_at=frozenset(record.take(LOOKS_AT, tuple(ItemKind))),
        does=does,
        description=record.take(ABOUT, ""),
        place=record.place(),
    )


TYPES = ListOf(Built(Form("a maintenance type", (NAME, STAGES, LOOKS_AT, DOES, ABOUT)), _type))


def read_types(node: Node, source: Source) -> dict[str, MaintenanceType]:
    """The types of the file by name."""
    try:
        types = TYPES.read(node, source)
    except Unreadable:
        return {}
    result: dict[str, MaintenanceType] = {}
    for each in types:
        first = result.setdefault(each.name, each)
        if first is not each and each.place is not None:
            source.error(each.place, f"the type '{each.name}' stands twice", f"the first is at {first.place}")
    return result
