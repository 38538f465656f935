"""Choices -> desires: what one computer should have, pinned for a session, with everything the winners ask for.

Adds prerequisites recursively and configuration tasks, expands parameters, judges requirements. Pure; definitions
come from the fleet's library and are named by content hash, so that a session can be resumed without a checkout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from immy_nornir.decide.resolve.parameters import fitted
from immy_nornir.decide.resolve.requirements import judge
from immy_nornir.decide.resolve.winning_deployments import Choice, Key
from immy_nornir.errors import ImmyError
from immy_nornir.model.deployments import Deployment, Desired, Enforcement, StateKind, TaskMode
from immy_nornir.model.facts import Identity
from immy_nornir.model.inventory import Sourced
from immy_nornir.model.items import (
    Item,
    ItemKind,
    Library,
    Parameter,
    ParameterType,
    Platform,
    Prerequisite,
    Requirements,
    Software,
)
from immy_nornir.model.plan import Desire, Request, RequestKind
from immy_nornir.model.values import Json, Value
from immy_nornir.text import templates

Fingerprint = Callable[[Item], str]
"""Content hash of a definition."""
HoldsSecret = Callable[[Value | Item], bool]
"""Whether a value or a definition holds a known secret in clear."""


class SharedDesires:
    """What winners mean for all computers of a platform alike: one value instead of a copy for each computer.

    Only what rests on nothing of the computer is kept: no template in a parameter, no requirement. Many threads may use
    one; it belongs to the deployments of one fleet.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, Platform], tuple[Deployment, Desire, Item]] = {}

    def get(self, winner: Deployment, platform: Platform) -> tuple[Desire, Item] | None:
        """The desire of a winner with its definition, if it was kept."""
        found = self._known.get((id(winner), platform))
        return None if found is None else found[1:]

    def keep(self, winner: Deployment, platform: Platform, desire: Desire, item: Item) -> None:
        """Keep a desire, if it is the same for every computer of the platform."""
        given = [one.value for one in winner.params.values()]
        defaults = [one.default for one in item.parameters.values()]
        alike = not desire.error and item.requirements == Requirements()
        if alike and not any(_holds_template(value) for value in (*given, *defaults)):
            self._known[(id(winner), platform)] = (winner, desire, item)


def _holds_template(value: Value) -> bool:
    if isinstance(value, str):
        return templates.is_template(value)
    if isinstance(value, Mapping):
        return any(_holds_template(child) for child in value.values())
    return isinstance(value, Sequence) and any(_holds_template(child) for child in value)


def _made(declared: Parameter | None, written: Value, variables: Mapping[str, Value], *, given: bool) -> Value:
    """A parameter's value: templates expanded, and then of the type that is declared, as words for yes and no are."""
    value = templates.expand(written, variables)
    if declared is None or value is None:
        return value
    fits = declared.type is ParameterType.BOOLEAN or (given and _holds_template(written))
    return fitted(declared, value) if fits else value


@dataclass(slots=True)
class _Builder:
    library: Library
    identity: Identity
    facts: Mapping[str, Json]
    variables: Mapping[str, Value]
    fingerprint: Fingerprint
    shared: SharedDesires
    holds_secret: HoldsSecret
    desires: dict[str, Desire] = field(default_factory=dict)
    definitions: dict[str, Item] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """Ids of desires whose own needs are added already."""

    def add_choice(self, choice: Choice) -> None:
        if choice.error:
            desire = self._bare(choice.item, choice.instance)
            self._put(dataclasses.replace(desire, error=choice.error))
            return
        if choice.unknown:
            desire = self._bare(choice.item, choice.instance)
            if self.library.find(choice.item, self.identity.platform) is None:  # whoever would win
                self._put(self._described(desire, {}))
            else:
                self._put(dataclasses.replace(desire, unknown=choice.unknown))
            return
        if choice.winner is None:
            return
        winner, platform = choice.winner, self.identity.platform
        known = self.shared.get(winner, platform)
        if known is not None:
            desire, definition = known
            self.definitions[desire.definition] = definition
            self._put(desire)
            return
        desire = dataclasses.replace(
            self._described(self._bare(choice.item, choice.instance), winner.params),
            desired=winner.state,
            mode=winner.mode,
            deployment=f"{winner.place.file}:{winner.place.line}",
            scope=winner.scope,
            priority=winner.priority,
            onboarding=winner.enforcement is Enforcement.ONBOARDING,
            preflight=winner.preflight and winner.mode is TaskMode.ENFORCE,
        )
        self._put(desire)
        if desire.definition:
            self.shared.keep(winner, platform, desire, self.definitions[desire.definition])

    def _put(self, desire: Desire) -> None:
        self.desires[desire.id] = desire

    def _bare(self, item: str, instance: str) -> Desire:
        return Desire(item, instance, ItemKind(item.partition("/")[0]))

    def _described(self, desire: Desire, given: Mapping[str, Sourced]) -> Desire:
        """The desire with its definition, parameters and whether it applies."""
        definition = self.library.find(desire.item, self.identity.platform)
        if definition is None:
            if desire.item in self.library.items:
                why = f"{desire.item} is not for {self.identity.platform}"
                return dataclasses.replace(desire, not_applicable=why)
            return dataclasses.replace(desire, error=f"there is no {desire.item} in the library")
        if self.holds_secret(definition):
            why = "its definition or a script of it holds a secret in clear, which would stay in the record"
            return dataclasses.replace(desire, error=f"{why}: make it a parameter that is a secret")
        digest = self.fingerprint(definition)
        self.definitions[digest] = definition
        desire = dataclasses.replace(desire, definition=digest)
        judged = judge(definition.requirements, self.identity.system, self.variables, self.facts)
        desire = dataclasses.replace(desire, not_applicable=judged.missed, unknown=judged.unknown, error=judged.wrong)
        try:
            params, origins = self._parameters(definition, given)
        except ImmyError as error:
            return dataclasses.replace(desire, error=f"its parameters cannot be made: {error.message}")
        return dataclasses.replace(desire, params=params, origins=origins)

    def _parameters(self, definition: Item, given: Mapping[str, Sourced]) -> tuple[dict[str, Value], dict[str, str]]:
        params: dict[str, Value] = {}
        origins: dict[str, str] = {}
        for name, parameter in definition.parameters.items():
            if name not in given:
                if parameter.required and parameter.default is None:
                    raise ImmyError(f"parameter '{name}' is required and has no value", "set it in params")
                params[name] = _made(parameter, parameter.default, self.variables, given=False)
                self._refuse_secret(name, params[name])
                origins[name] = f"default, {parameter.place}" if parameter.place else "default"
        for name, sourced in given.items():
            params[name] = _made(definition.parameters.get(name), sourced.value, self.variables, given=True)
            self._refuse_secret(name, params[name])
            origins[name] = str(sourced.place) if sourced.place else "built in"
        return params, origins

    def _refuse_secret(self, name: str, value: Value) -> None:
        if self.holds_secret(value):
            raise ImmyError(
                f"parameter '{name}' is a known secret in clear, which would stay in the record",
                "give a reference to it, for a parameter that is declared secret",
            )

    # --- what the winners ask for ---

    def close(self) -> None:
        """Add prerequisites, recursively, and configuration tasks."""
        for desire in list(self.desires.values()):
            self._require(desire, (desire.item,))

    def license(self) -> None:
        """Give licensed software its licence as the parameter that its definition names; without one it fails alone."""
        for desire in list(self.desires.values()):
            definition = self.definitions.get(desire.definition)
            name = definition.license if isinstance(definition, Software) else None
            if name is None or not wants_presence(desire) or desire.params.get(name) is not None:
                continue
            value = self.variables.get(name)
            if value is None:
                why = f"it needs a licence, and no parameter or variable '{name}' holds one"
                self._put(dataclasses.replace(desire, error=why))
                continue
            expanded = templates.expand(value, self.variables)
            if self.holds_secret(expanded):
                why = f"its licence, variable '{name}', is a known secret in clear: give a reference to it"
                self._put(dataclasses.replace(desire, error=why))
                continue
            params = {**desire.params, name: expanded}
            origins = {**desire.origins, name: f"variable {name}"}
            self._put(dataclasses.replace(desire, params=params, origins=origins))

    def _require(self, desire: Desire, path: tuple[str, ...]) -> None:
        definition = self.definitions.get(desire.definition)
        if definition is None or not wants_presence(desire) or desire.id in self.asked:
            return
        for need in definition.prerequisites:
            if need.item in path:
                circle = " needs ".join((*path[path.index(need.item) :], need.item))
                self._put(
                    dataclasses.replace(self.desires[desire.id], error=f"its prerequisites go in a circle: {circle}")
                )
                return
            self._ask(need, Request(RequestKind.PREREQUISITE, desire.id))
            self._require(self.desires[need.item], (*path, need.item))
        self.asked.add(desire.id)
        if isinstance(definition, Software) and definition.configuration:
            name = definition.configuration
            need = Prerequisite(name if name.startswith("task/") else f"task/{name}", TaskMode.ENFORCE)
            self._ask(need, Request(RequestKind.CONFIGURATION, desire.id), desire)
            self._require(self.desires[need.item], (*path, need.item))

    def _ask(self, need: Prerequisite, request: Request, parent: Desire | None = None) -> None:
        known = self.desires.get(need.item)
        if known is None:
            given = {name: Sourced(value) for name, value in (parent.params if parent else {}).items()}
            known = self._described(self._bare(need.item, ""), given)
            known = dataclasses.replace(known, **_goal(known.kind, need.state))  # type: ignore[arg-type]  # desired and mode
        elif not known.deployment and known.desired == Desired(StateKind.INSTALLED):
            # Whoever only wants it to be there is content with what others want more exactly.
            known = dataclasses.replace(known, desired=parse_state(need.state))
        if request not in known.requested_by:
            known = dataclasses.replace(known, requested_by=(*known.requested_by, request))
        self._put(known)


def _goal(kind: ItemKind, state: str) -> dict[str, object]:
    if kind is ItemKind.TASK:
        return {"mode": TaskMode.ENFORCE}
    return {"desired": parse_state(state)}


def parse_state(text: str) -> Desired:
    """A software state as operators write it: `latest`, `installed`, `24.08`, `>=24.08`, `<=24.08`, `absent`, ..."""
    for prefix, kind in ((">=", StateKind.AT_LEAST), ("<=", StateKind.AT_MOST)):
        if text.startswith(prefix):
            return Desired(kind, text.removeprefix(prefix).strip())
    try:
        kind = StateKind(text)
    except ValueError:
        return Desired(StateKind.EXACT, text)
    return Desired(kind)


def wants_presence(desire: Desire) -> bool:
    """Whether the desire may bring its item to the computer, so that what it needs matters."""
    if desire.error or desire.not_applicable or desire.unknown:
        return False
    if desire.kind is ItemKind.TASK:
        return desire.mode is TaskMode.ENFORCE and not desire.preflight
    return desire.desired is not None and desire.desired.kind not in (StateKind.ABSENT, StateKind.IGNORED)


def desires_of(
    choices: Mapping[Key, Choice],
    library: Library,
    identity: Identity,
    facts: Mapping[str, Json],
    variables: Mapping[str, Value],
    fingerprint: Fingerprint,
    shared: SharedDesires | None = None,
    holds_secret: HoldsSecret = lambda _: False,
) -> tuple[tuple[Desire, ...], dict[str, Item]]:
    """All desires of one computer, and the definitions that they name by hash.

    `shared` keeps what is the same for many computers; with and without it the answer is the same. What would be
    executed with a secret in clear (`holds_secret`) fails alone: it is kept in the record as it is.
    """
    shared = SharedDesires() if shared is None else shared
    builder = _Builder(library, identity, facts, variables, fingerprint, shared, holds_secret)
    for choice in choices.values():
        builder.add_choice(choice)
    builder.close()
    builder.license()
    return tuple(builder.desires.values()), builder.definitions
