"""What the steps of a session do: each operation returns the entries that came of it, and decides nothing else.

Detecting operations use the connection as a Reader only. Errors are raised as ImmyError and become entries in `failed`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from immy_nornir.decide.actions import decide
from immy_nornir.decide.desires import desires_of
from immy_nornir.decide.detection import Detection, detect
from immy_nornir.decide.identity import identity_mismatch
from immy_nornir.decide.next_step import Do
from immy_nornir.decide.plan import Planning, make_plan, to_detect
from immy_nornir.decide.resolve import Asked, choose
from immy_nornir.errors import (
    AuthenticationError,
    CertificateError,
    ImmyError,
    RefusedError,
    SecretError,
    TransportError,
)
from immy_nornir.history import codec
from immy_nornir.model.facts import Facts, Finding, Identity
from immy_nornir.model.items import Item, Platform
from immy_nornir.model.plan import Desire
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record import (
    ActionEnded,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Entry,
    FactsCollected,
    Outcome,
    OutcomeReason,
    Planned,
    RebootEnded,
    Refused,
    Resolved,
    StageFailed,
    Verified,
)
from immy_nornir.model.values import Json, Value
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation
from immy_nornir.session import effects

if TYPE_CHECKING:
    from immy_nornir.model.protocols import Reader
    from immy_nornir.session.live import LiveSession

_STAGE_OF = {
    Do.CONNECT: Stage.CONNECT,
    Do.RESOLVE: Stage.RESOLVE,
    Do.COLLECT_FACTS: Stage.INVENTORY,
    Do.DETECT: Stage.DETECT,
    Do.MAKE_PLAN: Stage.PLAN,
    Do.VERIFY: Stage.VERIFY,
}


def perform(live: LiveSession, do: Do, action_id: str) -> list[Entry]:
    """Do one operation.

    Raises: ImmyError, which `failed` turns into entries.
    """
    if do in effects.PERFORM:
        return effects.PERFORM[do](live, action_id)
    return _PERFORM[do](live)


def failed(live: LiveSession, do: Do, action_id: str, error: ImmyError) -> list[Entry]:
    """The entries for an operation that raised: contact lost, refused, or a stage or action that failed."""
    text = live.engine.redactor.clean(str(error))
    doing = f"{do} {action_id}".strip()
    if isinstance(error, AuthenticationError | CertificateError):
        live.close()
        # Right after a boot a domain may not answer yet; the reboot has a deadline of its own.
        return [] if do is Do.CHECK_BOOT else [Refused(error.kind, text)]
    if isinstance(error, RefusedError):
        if do is Do.ASK_REBOOT:
            number = live.state.reboot.number if live.state.reboot is not None else 0
            return [RebootEnded(number, None, text)]
        if do is Do.START_JOB:
            return [ActionEnded(action_id, Outcome.FAILED, OutcomeReason.COULD_NOT_START, text)]
        if not action_id:
            live.close()
            return [Refused(error.kind, text)]
        # Its job is at work, or has ended: a computer that will not say so now is asked again.
    if isinstance(error, TransportError):
        live.close()
        return [] if do is Do.CHECK_BOOT else [ContactLost(error.kind, text, doing)]
    if action_id:
        reason = OutcomeReason.COULD_NOT_START if isinstance(error, SecretError) else OutcomeReason.CONFLICT
        return [ActionEnded(action_id, Outcome.FAILED, reason, text)]
    if do in (Do.CONNECT, Do.CHECK_BOOT, Do.ASK_REBOOT):
        live.close()
        return [Refused("connection", text)]
    return [StageFailed(_STAGE_OF[do], text)]


# --- stages ---------------------------------------------------------------------------------------------------


def _connect(live: LiveSession) -> list[Entry]:
    identity = live.connected().identify()
    wrong = identity_mismatch(live.state.spec.pinned_identity, identity, live.state.identity)
    if wrong:
        live.close()
        return [Refused("identity", wrong)]
    if Stage.CONNECT in live.state.done:
        before = live.state.identity
        same = (
            before is not None and before.boot == identity.boot and before.pending_reboots == identity.pending_reboots
        )
        if same and live.state.lost is None:
            live.state = dataclasses.replace(live.state, connected=True, identity=identity)
            return []  # a new leg of a session that only polls is not worth an entry
        return [ContactBack(identity)]
    return [Connected(identity)]


def variables_of(live: LiveSession) -> dict[str, Value]:
    """The computer's variables, those of the play and the command line over them, and the names that templates know."""
    spec = live.state.spec
    computer = live.engine.computer(spec.computer)
    return {
        **computer.variables,
        "inventory_hostname": computer.name,
        "inventory_hostname_short": computer.name.partition(".")[0],
        "group_names": list(computer.groups),
        "groups": list(computer.groups),
        "tenant": computer.tenant,
        **spec.vars,
    }


def facts_for(identity: Identity, stored: Facts) -> dict[str, Json]:
    """Facts by the names that conditions use: the system's own at the top, sections below."""
    system = {key: value for key, value in identity.system.items() if value is not None}
    found: dict[str, Json] = {
        **system,
        "name": identity.name,
        "domain": identity.domain,
        "platform": identity.platform.value,
        "users": list(identity.users),
        "pending_reboots": list(identity.pending_reboots),
    }
    for section, value in stored.values.items():
        if section == "software" and isinstance(value, list):
            rows = [row for row in value if isinstance(row, dict)]
            found["software"] = {str(row.get("name")): row.get("version") for row in rows}
        elif section not in found and section != "system":
            found[section] = value
    return found


def _resolve(live: LiveSession) -> list[Entry]:
    state, engine = live.state, live.engine
    assert state.identity is not None  # noqa: S101 - the chain puts connect first
    spec = state.spec
    with engine.history.read() as reader:
        stored = reader.facts(spec.computer)
    variables = variables_of(live)
    facts = facts_for(state.identity, stored)
    asked = Asked(spec.items, spec.asked_items, spec.onboarding)
    computer = engine.computer(spec.computer)
    choices = choose(engine.targets.of_computer(spec.computer), computer, facts, asked, variables)
    desires, definitions = desires_of(
        choices, engine.fleet.library, state.identity, facts, variables, codec.fingerprint, engine.shared
    )
    engine.history.keep_definitions(definitions)
    live.state = dataclasses.replace(live.state, definitions={**live.state.definitions, **definitions})
    return [Resolved(desires)]


def _collect_facts(live: LiveSession) -> list[Entry]:
    reader: Reader = live.connected()
    identity = live.state.identity
    platform = identity.platform if identity is not None else Platform.WINDOWS
    sections: list[Json] = ["hardware", "users", "network"]
    wanted: dict[str, ReadOperation] = {
        "facts": ReadOperation("facts", Read.FACTS, {"sections": sections}),
        "software": ReadOperation("software", Read.SOFTWARE, timeout_seconds=120),
    }
    for item in (one for some in live.engine.fleet.library.inventory.values() for one in some):
        if item.platform is platform:
            params: dict[str, Json] = {"params": {}, "purpose": "inventory", "item": f"inventory/{item.name}"}
            name = f"inventory:{item.name}"
            script = item.script
            wanted[name] = ReadOperation(
                name, Read.SCRIPT, params, script.text, script.language, script.timeout_seconds
            )
    detection: dict[str, ReadOperation] = {}
    if Stage.DETECT in live.state.spec.stages and Stage.DETECT not in live.state.done:
        detection = {one.id: one for one in _detection(live).operations}
    answers = reader.read([*wanted.values(), *(one for key, one in detection.items() if key not in wanted)])
    live.answers = {key: answers[key] for key in detection}
    return [_facts_entry(answers, list(wanted), live.engine.clock.now())]


def _facts_entry(answers: Mapping[str, Answer], names: list[str], now: float) -> FactsCollected:
    values: dict[str, Json] = {}
    inventory: dict[str, Json] = {}
    problems: list[str] = []
    for name in names:
        answer = answers[name]
        if answer.status is not AnswerStatus.OK:
            problems.append(f"{name}: {answer.error or answer.status}")
        elif name == "facts" and isinstance(answer.result, dict):
            values.update(answer.result)
        elif name == "software":
            values["software"] = answer.result
        elif name.startswith("inventory:"):
            inventory[name.partition(":")[2]] = answer.result
    if inventory:
        values["inventory"] = inventory
    return FactsCollected(Facts(values, dict.fromkeys(values, now)), tuple(problems))


def wanted_of(live: LiveSession, desires: tuple[Desire, ...]) -> list[tuple[Desire, Item]]:
    """Desires with their definitions."""
    definitions = live.state.definitions
    return [(one, definitions[one.definition]) for one in desires if one.definition in definitions]


def _detection(live: LiveSession) -> Detection:
    return detect(wanted_of(live, to_detect(live.state.spec.type, live.state.desires)))


def _detect(live: LiveSession) -> list[Entry]:
    detection = _detection(live)
    answers, live.answers = live.answers, {}
    if not all(one.id in answers for one in detection.operations):
        reader: Reader = live.connected()
        answers = reader.read(detection.operations)
    return [Detected(detection.findings(answers))]


def planning_of(live: LiveSession, findings: Mapping[str, Finding], desires: tuple[Desire, ...]) -> Planning:
    """What a plan of this session is made from."""
    state = live.state
    assert state.identity is not None  # noqa: S101 - planning comes after connecting
    primary = live.engine.computer(state.spec.computer).variables.get("immy_primary_user")
    ignored = state.spec.options.ignore_pending_reboots
    with live.engine.history.read() as reader:
        before = reader.last_desires(state.spec.computer, state.spec.id)
    known = {one.id: one for one in before or ()}
    fresh = frozenset(one.id for one in desires if before is not None and _changed(one, known.get(one.id)))
    return Planning(
        state.spec.type,
        state.spec.options,
        state.identity,
        desires,
        state.definitions,
        findings,
        fresh,
        tuple(name for name in state.pending if name not in ignored),
        str(primary or ""),
    )


def _changed(desire: Desire, before: Desire | None) -> bool:
    if before is None:
        return True
    mine = (desire.definition, desire.desired, desire.mode, dict(desire.params))
    return mine != (before.definition, before.desired, before.mode, dict(before.params))


def _make_plan(live: LiveSession) -> list[Entry]:
    return [Planned(make_plan(planning_of(live, live.state.findings, live.state.desires)))]


# --- judging after execution ----------------------------------------------------------------------------------


def _verify(live: LiveSession) -> list[Entry]:
    state = live.state
    pinned = {
        one.id: effects.pinned(one, state.actions[one.id].plan) for one in state.desires if one.id in state.actions
    }
    looked_at = to_detect(state.spec.type, state.desires)
    detection = detect(wanted_of(live, tuple(pinned.get(one.id, one) for one in looked_at)))
    reader: Reader = live.connected()
    findings = detection.findings(reader.read(detection.operations))
    missing: list[str] = []
    for (desire, item), finding in zip(detection.wanted, findings, strict=True):
        action = state.actions.get(desire.id)
        if action is None or action.ended is None:
            continue
        decision = decide(desire, item, finding, effects.architecture(live))
        done = action.ended.outcome is Outcome.SUCCESS
        calm = action.ended.outcome is Outcome.NOTHING and not action.plan.requested_by
        if decision.type in effects.CHANGING_TYPES and (done or calm):
            missing.append(f"{desire.id}: {'still' if done else 'new work:'} {decision.type}: {decision.why}")
        elif decision.error and done:
            missing.append(f"{desire.id}: {decision.why}")
    return [Verified(findings, tuple(missing))]


_PERFORM: Mapping[Do, Callable[[LiveSession], list[Entry]]] = {
    Do.CONNECT: _connect,
    Do.RESOLVE: _resolve,
    Do.COLLECT_FACTS: _collect_facts,
    Do.DETECT: _detect,
    Do.MAKE_PLAN: _make_plan,
    Do.VERIFY: _verify,
}
