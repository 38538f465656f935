"""`immy explain COMPUTER ITEM`: all candidates, the winner, why each other lost, and where every value came from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immy_nornir.cli import completing, options, startup
from immy_nornir.cli.door import say, say_json
from immy_nornir.cli.extra_vars import given_variables
from immy_nornir.errors import UsageError
from immy_nornir.text import json

if TYPE_CHECKING:
    from immy_nornir.decide.onboarding import Onboarded
    from immy_nornir.decide.resolve.winning_deployments import Choice
    from immy_nornir.model.deployments import Deployment
    from immy_nornir.model.facts import Facts, Identity
    from immy_nornir.model.inventory import Inventory
    from immy_nornir.model.playbooks import Fleet, Play
    from immy_nornir.model.values import Value

SCHEMA_VERSION = 1


@click.command()
@click.argument("computer", shell_complete=completing.computers)
@click.argument("item", shell_complete=completing.items)
@options.sources
@options.vault
@click.option(
    "--play",
    "playbook",
    metavar="PLAYBOOK",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With the options of this playbook's plays.",
)
@click.option("-o", "--option", "more", multiple=True, metavar="NAME=VALUE", help="An option of the command line.")
@options.extra
@options.form
@click.pass_context
def explain(
    ctx: click.Context,
    computer: str,
    item: str,
    sources: tuple[Path, ...],
    playbook: Path | None,
    more: tuple[str, ...],
    extra: tuple[str, ...],
    form: str,
) -> None:
    """Why an item is deployed to a computer as it is, or not at all.

    Facts are those last seen, with their age; a session decides with the same function and newer facts.
    """
    root = startup.root_of(ctx, playbook)
    # Unchecked: two deployments that tie are an error of the files, and the very thing that has to be explained.
    fleet, book = startup.load(root, sources, playbook, checked=False)
    plays = book.plays if book is not None else ()
    given = _Given(plays, startup.pairs(more), given_variables(extra))
    document = _explained(ctx, root, fleet, given, computer, item)
    if form == "json":
        say_json(json.indented({"schema_version": SCHEMA_VERSION, **document}, default=str))
    else:
        _tell(document)


@dataclass(frozen=True, slots=True)
class _Given:
    """What stands over the inventory: plays, and the options and variables of the command line."""

    plays: Sequence[Play]
    options: Mapping[str, str]
    vars: Mapping[str, Value]

    def play_of(self, inventory: Inventory, name: str) -> Play | None:
        """The first play that reaches a computer, else the first."""
        from immy_nornir.decide.resolve import patterns

        reaching = (one for one in self.plays if name in patterns.select(inventory, one.hosts, None))
        return next(reaching, self.plays[0] if self.plays else None)


def _explained(ctx: click.Context, root: Path, fleet: Fleet, given: _Given, name: str, item: str) -> dict[str, Any]:
    from immy_nornir.decide.detect.facts import facts_for, known_names
    from immy_nornir.decide.resolve.desires import desires_of
    from immy_nornir.decide.resolve.host_variables import is_excluded
    from immy_nornir.decide.resolve.winning_deployments import Asked, Targets, choose
    from immy_nornir.history import codec
    from immy_nornir.session.before.specs import NAMES, is_onboarding, merge_options, variables_given

    computer = _computer(fleet, name)
    reference = item_named(fleet, item)
    facts, identity = _known(ctx, root, computer)
    done = _onboarded(ctx, root, name, facts)
    play = given.play_of(fleet.inventory, name)
    variables = known_names(computer, variables_given(play, given.vars))
    known = facts_for(identity, facts)
    candidates = Targets.of(fleet).of_computer(name)
    onboarding = is_onboarding(computer, variables)
    asked = Asked(onboarding=onboarding and done is None)
    choices = choose(candidates, computer, known, asked, variables)
    desires, _ = desires_of(choices, fleet.library, identity, known, variables, codec.fingerprint)
    seen = {
        one.deployment.place
        for key, choice in choices.items()
        if key[0] == reference
        for one in (*choice.lost, *choice.undecided)
    }
    seen |= {choice.winner.place for key, choice in choices.items() if key[0] == reference and choice.winner}
    options: dict[str, Any] = {}
    plays: list[Play | None] = [*given.plays] or [None]
    for one_play in plays:
        merged = merge_options(computer, one_play.options if one_play is not None else {}, given.options, variables)
        rows = {key: {"value": getattr(merged, key), "origin": merged.origins[key]} for key in NAMES}
        options[one_play.name if one_play is not None else "no play"] = rows
    return {
        "computer": name,
        "tenant": computer.tenant,
        "excluded": is_excluded(variables),
        "onboarding": _onboarding(done, onboarding=onboarding),
        "item": reference,
        "facts": _ages(facts),
        "instances": [_choice(choice) for key, choice in choices.items() if key[0] == reference],
        "elsewhere": [_deployment(one) for one in fleet.deployments if one.item == reference and one.place not in seen],
        "desires": [_desire(one) for one in desires if one.item == reference],
        "options": options,
    }


def _computer(fleet: Any, name: str) -> Any:
    import difflib

    try:
        return startup.computers_of(fleet.inventory, [name])[0]
    except KeyError:
        near = difflib.get_close_matches(name, fleet.inventory.computers, 1)
        raise UsageError(
            f"there is no computer '{name}'", f"did you mean '{near[0]}'?" if near else "immy inventory list"
        ) from None


def item_named(fleet: Any, item: str) -> str:
    """An item of the library by its reference or its name. Raises: UsageError with what is near."""
    import difflib

    found = [one for one in fleet.library.items if item in (one, one.partition("/")[2])]
    if found:
        return str(found[0])
    near = difflib.get_close_matches(
        item, [*fleet.library.items, *(one.partition("/")[2] for one in fleet.library.items)], 1
    )
    raise UsageError(
        f"there is no item '{item}' in the library",
        f"did you mean '{near[0]}'?" if near else "items are the folders in tasks/software and tasks/maintenance",
    )


def _known(ctx: click.Context, root: Path, computer: Any) -> tuple[Facts, Identity]:
    """What the history last saw of a computer; its platform is guessed from the connection where it never did."""
    from immy_nornir.decide.detect.facts import presumed
    from immy_nornir.errors import ImmyError
    from immy_nornir.fleet.inventory.addresses import address_of
    from immy_nornir.history import store
    from immy_nornir.history.queries import Reader
    from immy_nornir.model.facts import Facts
    from immy_nornir.model.items import Platform

    facts = Facts()
    path = startup.state_of(ctx, root) / store.FILE
    if path.exists():
        with Reader(path) as reader:
            facts = reader.facts(computer.name)
    try:
        guess = Platform.WINDOWS if address_of(computer).kind == "winrm" else Platform.LINUX
    except ImmyError:
        guess = Platform.WINDOWS
    return facts, presumed(computer.name, facts, guess)


def _onboarded(ctx: click.Context, root: Path, name: str, facts: Facts) -> Onboarded | None:
    """That the computer's onboarding has ended, where it has, for the machine that was seen last."""
    from immy_nornir.history import store
    from immy_nornir.history.queries import Reader

    path = startup.state_of(ctx, root) / store.FILE
    if not path.exists():
        return None
    with Reader(path) as reader:
        done = reader.onboarded().get(name)
    return done if done is not None and done.holds(facts) else None


def _onboarding(done: Onboarded | None, *, onboarding: bool) -> str:
    """How it stands with the computer's onboarding, in a sentence; empty where there is none."""
    if done is not None:
        day = time.strftime("%Y-%m-%d", time.localtime(done.at))
        return f"onboarded on {day} in session {done.session}; immy sessions onboard repeats it"
    return "it is being onboarded: immy_onboarding is true" if onboarding else ""


def _ages(facts: Facts) -> dict[str, str]:
    now = time.time()
    return {section: _age(max(0.0, now - at)) for section, at in facts.collected_at.items()}


def _age(seconds: float) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            number = round(seconds / unit)
            return f"{number} {name}{'' if number == 1 else 's'} old"
    return "less than a minute old"


def _deployment(one: Deployment) -> dict[str, Any]:
    return {
        "place": str(one.place),
        "target": one.target,
        "scope": one.scope.value,
        "priority": one.priority,
        "enforcement": one.enforcement.value,
        "wants": str(one.state or one.mode or ""),
        "where": one.where,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "instance": choice.instance,
        "winner": _deployment(choice.winner) if choice.winner else None,
        "error": choice.error,
        "unknown": choice.unknown,
        "undecided": [{**_deployment(one.deployment), "why": one.why} for one in choice.undecided],
        "lost": [{**_deployment(one.deployment), "why": one.why} for one in choice.lost],
        "facts_read": sorted(choice.reads),
    }


def _desire(desire: Any) -> dict[str, Any]:
    return {
        "id": desire.id,
        "wants": str(desire.desired or desire.mode or ""),
        "params": {
            name: {"value": _shown(value), "origin": desire.origins.get(name, "")}
            for name, value in desire.params.items()
        },
        "requested_by": [str(request) for request in desire.requested_by],
        "not_applicable": desire.not_applicable,
        "unknown": desire.unknown,
        "error": desire.error,
    }


def _shown(value: Any) -> Any:
    from immy_nornir.history import codec

    return codec.shown(value)


def _tell(document: dict[str, Any]) -> None:
    say(f"{document['item']} on {document['computer']} ({document['tenant']})")
    if document["excluded"]:
        say("  excluded from maintenance (immy_excluded): sessions only take its inventory")
    if document["onboarding"]:
        say(f"  {document['onboarding']}")
    by_age: dict[str, list[str]] = {}
    for name, age in document["facts"].items():
        by_age.setdefault(age, []).append(name)
    ages = "; ".join(f"{', '.join(names)} {age}" for age, names in by_age.items())
    say(f"  facts: {ages or 'never seen: conditions over facts are unknown'}")
    for choice in document["instances"]:
        label = f" instance '{choice['instance']}'" if choice["instance"] else ""
        winner = choice["winner"]
        if winner:
            say(f"  winner{label}: {_line(winner)}")
        elif choice["unknown"]:
            say(f"  unknown{label}: {choice['unknown']}")
        else:
            say(f"  no winner{label}: {choice['error'] or 'no candidate holds'}")
        for one in choice["undecided"]:
            say(f"    may win: {_line(one)}: {one['why']}")
        for one in choice["lost"]:
            say(f"    lost: {_line(one)}: {one['why']}")
    for one in document["elsewhere"]:
        say(f"    not here: {_line(one)}: its target does not name this computer")
    if not document["instances"] and not document["elsewhere"]:
        say("  no deployment names it")
    for desire in document["desires"]:
        _tell_desire(desire)
    for play, rows in document["options"].items():
        say(f"  options with {play}:")
        for name, row in rows.items():
            value = row["value"]
            shown = (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value).lower()
            say(f"    {name} = {shown}  ({row['origin']})")


def _tell_desire(desire: dict[str, Any]) -> None:
    say(f"  desired state of {desire['id']}: {desire['wants']}")
    for text in desire["requested_by"]:
        say(f"    asked for as {text}")
    for name in ("not_applicable", "unknown", "error"):
        if desire[name]:
            say(f"    {name.replace('_', ' ')}: {desire[name]}")
    for name, param in desire["params"].items():
        say(f"    {name} = {param['value']}  ({param['origin']})")


def _line(one: dict[str, Any]) -> str:
    where = f", where {one['where']}" if one.get("where") else ""
    return (
        f"{one['place']}: {one['wants']} for {one['target']} (scope {one['scope']}, priority {one['priority']}{where})"
    )
