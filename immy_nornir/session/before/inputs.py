"""What a session was planned from, and what the files say today: the same, or why not.

Compared are, for each item, its definition with the bytes of its scripts, desired state, mode and parameters (secrets
as references); over them the options, variables, hours and zone. Never places: a line that moved changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from immy_nornir.decide.detect.facts import facts_for, known_names
from immy_nornir.decide.plan import trials
from immy_nornir.decide.resolve.desires import desires_of
from immy_nornir.decide.resolve.primary_user import of_computer, with_primary
from immy_nornir.decide.resolve.seen_facts import SeenFacts, as_seen
from immy_nornir.decide.resolve.winning_deployments import Candidates, choose
from immy_nornir.errors import FilesError, ImmyError, UsageError
from immy_nornir.history import codec
from immy_nornir.model.places import Place
from immy_nornir.model.playbooks import Play, Stage
from immy_nornir.session.before.specs import NAMES, Asking, asked_of, specs_of
from immy_nornir.text.plain import and_more

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.model.facts import Facts, Identity
    from immy_nornir.model.items import Item
    from immy_nornir.model.plan import Desire
    from immy_nornir.model.record.session import SessionSpec
    from immy_nornir.model.values import Json, Value
    from immy_nornir.session.engine import Engine

_TOLD = 3


def resolve(
    engine: Engine, spec: SessionSpec, identity: Identity, stored: Facts, seen: Mapping[str, Json] | None = None
) -> tuple[tuple[Desire, ...], dict[str, Item], dict[str, Json]]:
    """What a computer should have by the files, the definitions by hash, and the facts that were read for it.

    `seen` are facts as they were read once. Raises ImmyError for variables that cannot be expanded.
    """
    computer = engine.computer(spec.computer)
    variables: Mapping[str, Value] = known_names(computer, spec.vars)
    whose = of_computer(variables, None, identity.system, stored.sightings)
    facts = SeenFacts(as_seen(facts_for(identity, stored, whose.fact), seen or {}))
    variables = with_primary(variables, facts.get("primary_user"))
    choices = choose(candidates_of(engine, spec), computer, facts, asked_of(spec), variables)
    known = replace(identity, system=facts)
    desires, definitions = desires_of(
        choices, engine.fleet.library, known, facts, variables, codec.fingerprint, engine.shared, engine.holds_secret
    )
    if spec.trial is not None:
        desires = trials.desires_of_part(spec.trial, desires)
    return desires, definitions, facts.read()


def candidates_of(engine: Engine, spec: SessionSpec) -> Candidates:
    """The deployments that may hold for a session's computer; of a trial, its own."""
    own = engine.targets.of_computer(spec.computer)
    return own if spec.trial is None else trials.candidates(spec.trial, own, spec.computer)


def input_of(desire: Desire) -> str:
    """All of a desire that a plan is made from, as one text: equal for equal inputs, on every machine."""
    wants = (desire.definition, desire.desired, desire.mode, desire.params, desire.preflight)
    about = (*wants, desire.not_applicable, desire.unknown, desire.error)
    return codec.line([codec.dump(one) for one in about])


def changes(engine: Engine, state: State, today: SessionSpec) -> str:
    """What the files say otherwise than when a session was planned; empty where they say the same.

    `today` is the session's spec as the files would make it now.
    """
    said = _of_specs(state.spec, today)
    if Stage.RESOLVE in state.done and state.identity is not None:
        said += _of_items(engine, state, today)
    if not said:
        return ""
    more = and_more(len(said) - _TOLD)
    return f"{', '.join(said[:_TOLD])}{more} changed in the files since it was planned"


def spec_today(engine: Engine, old: SessionSpec) -> SessionSpec:
    """A session's spec as the files and the command line of its run would make it now.

    Raises: ImmyError where they make none: the playbook, the play or the type is gone, an option is wrong.
    """
    with engine.history.read() as reader:
        run = reader.run_spec(old.run_id)
        seen = reader.facts(old.computer)
        onboarded = reader.onboarded()
    play = engine.play_of(run, old.play) if run is not None else None
    kind = engine.fleet.types.get(old.type.name if play is None else play.maintenance)
    if kind is None:
        raise UsageError(f"there is no maintenance type {old.type.name} any more")
    if run is None:  # from before runs were records: what it was asked is not known
        return replace(old, type=kind)
    if play is None:
        play = Play(old.play, "", Place("record"), kind.name)
    asking = Asking(run.options, run.items, run.vars, run.check, run.onboard)
    computer = engine.computer(old.computer)
    now, known = engine.clock.now(), {old.computer: seen}
    made = specs_of(old.run_id, 1, play, kind, [computer], known, asking, now, onboarded)[0]
    return replace(made, id=old.id, only=old.only, rerun_of=old.rerun_of)


def compare(engine: Engine, state: State) -> tuple[str, SessionSpec | None]:
    """Why a session's files are not those of its plan any more, and its spec as they make it now; empty: they are.

    None where the files make no session of it: then it can only be settled. Raises FilesError where they have errors.
    Commands by hand and trials are not of the files.
    """
    if state.spec.by_hand is not None or state.spec.trial is not None:
        return "", state.spec
    try:
        today = spec_today(engine, state.spec)
    except FilesError:
        raise
    except ImmyError as error:
        return error.message, None
    return changes(engine, state, today), today


def _of_specs(old: SessionSpec, new: SessionSpec) -> list[str]:
    said = [f"option {name}" for name in NAMES if getattr(old.options, name) != getattr(new.options, name)]
    words = {
        "type": f"maintenance type {old.type.name}",
        "items": "the chosen items",
        "vars": "variables of the play",
        "business_hours": "business hours",
        "time_zone": "time zone",
        "onboarding": "onboarding",
    }
    said += [word for name, word in words.items() if _plain(getattr(old, name)) != _plain(getattr(new, name))]
    return said


def _plain(value: object) -> str:
    return codec.line(codec.dump(value))


def _of_items(engine: Engine, state: State, today: SessionSpec) -> list[str]:
    assert state.identity is not None  # noqa: S101 - the caller looked
    with engine.history.read() as reader:
        stored = reader.facts(state.spec.computer)
    try:
        desires, _, _ = resolve(engine, today, state.identity, stored, state.seen)
    except ImmyError as error:
        return [f"what it should have ({error.message})"]
    before = {one.id: input_of(one) for one in state.desires}
    now = {one.id: input_of(one) for one in desires}
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
