"""What the steps of a session do: each operation returns the entries that came of it, and decides nothing else.

Detecting operations use the connection as a Reader only. Errors are raised as ImmyError and become entries in `failed`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from immy_nornir.decide.detect.detection import Detection, detection_of
from immy_nornir.decide.detect.facts import facts_of, presumed, questions
from immy_nornir.decide.detect.identity import expectation
from immy_nornir.decide.plan.actions import Decision, decide
from immy_nornir.decide.plan.commands import command_plan
from immy_nornir.decide.plan.make_plan import Planning, make_plan, to_detect
from immy_nornir.decide.plan.trials import download_plan, is_download
from immy_nornir.decide.steps.ends import outcomes
from immy_nornir.decide.steps.state import preflights
from immy_nornir.decide.steps.step import Do
from immy_nornir.errors import (
    AuthenticationError,
    BusyError,
    CertificateError,
    DeclinedError,
    HistoryError,
    ImmyError,
    NoRoomError,
    RefusedError,
    SecretError,
    TransportError,
    lacking,
    no_room,
)
from immy_nornir.model.facts import Finding, Identity
from immy_nornir.model.items import Item, Platform, Requirements
from immy_nornir.model.plan import Desire, Reason
from immy_nornir.model.playbooks import Stage
from immy_nornir.model.record.entries import (
    ActionEnded,
    Connected,
    ContactBack,
    ContactLost,
    Detected,
    Entry,
    FactsCollected,
    Planned,
    ReadyLooked,
    RebootEnded,
    Refused,
    Resolved,
    StageFailed,
    Verified,
)
from immy_nornir.model.record.session import EndReason, Outcome, OutcomeReason
from immy_nornir.model.wire import ReadOperation
from immy_nornir.session import asking, effects
from immy_nornir.session.before import inputs
from immy_nornir.session.before.preview import of_plan
from immy_nornir.session.leg import refuse_stranger

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.decide.steps.under_way import ActionState
    from immy_nornir.model.protocols import Reader
    from immy_nornir.model.values import Json
    from immy_nornir.session.leg import Leg

_STAGE_OF = {
    Do.CONNECT: Stage.CONNECT,
    Do.RESOLVE: Stage.RESOLVE,
    Do.COLLECT_FACTS: Stage.INVENTORY,
    Do.DETECT: Stage.DETECT,
    Do.MAKE_PLAN: Stage.PLAN,
    Do.VERIFY: Stage.VERIFY,
    Do.LOOK_READY: Stage.EXECUTE,
    **dict.fromkeys(asking.PERFORM, Stage.EXECUTE),
}


def perform(state: State, leg: Leg, do: Do, action_id: str) -> list[Entry]:
    """Do one operation.

    Raises: ImmyError, which `failed` turns into entries.
    """
    for these in (effects.PERFORM, asking.PERFORM):
        if do in these:
            return these[do](state, leg, action_id)
    return _PERFORM[do](state, leg)


def attempt(state: State, leg: Leg, do: Do, action_id: str) -> list[Entry]:
    """Do one operation, whatever comes of it: what is expected to go wrong becomes entries, too.

    Raises: HistoryError; anything else is a bug of ours.
    """
    try:
        return perform(state, leg, do, action_id)
    except HistoryError:
        raise
    except DeclinedError as error:  # the computer's own word, whatever was lacking here
        return failed(state, leg, do, action_id, error)
    except Exception as error:
        told = "" if isinstance(error, NoRoomError) else lacking(error)
        meant = no_room(told) if told else error
        if not isinstance(meant, ImmyError):
            raise
        return failed(state, leg, do, action_id, meant)


def failed(state: State, leg: Leg, do: Do, action_id: str, error: ImmyError) -> list[Entry]:
    """The entries for an operation that raised: contact lost, refused, or a stage or action that failed."""
    text = leg.engine.redactor.clean(str(error))
    doing = f"{do} {action_id}".strip()
    if do is Do.CHECK_BOOT and isinstance(error, TransportError):
        # Right after a boot a domain, or WinRM itself, may not answer yet; the reboot has a deadline of its own.
        leg.close()
        return []
    # Who was let in before is asked again: after a boot, a domain or memory may be missing for a moment.
    known = Stage.CONNECT in state.done
    if isinstance(error, AuthenticationError | CertificateError) and not known:
        leg.close()
        return [Refused(error.kind, text)]
    if isinstance(error, BusyError):
        return _busy(state, do, action_id, text)
    if isinstance(error, DeclinedError) and do is Do.ASK_REBOOT:
        return [RebootEnded(state.reboot.number if state.reboot is not None else 0, None, text)]
    if isinstance(error, DeclinedError) and do is Do.START_JOB:
        return [ActionEnded(action_id, Outcome.FAILED, OutcomeReason.COULD_NOT_START, text)]
    if isinstance(error, RefusedError) and not known:
        leg.close()
        return [Refused(error.kind, text)]
    # A refusal of the wire proves nothing of what was asked for: its job may be at work, or may begin in a moment.
    if isinstance(error, TransportError):
        leg.close()
        return [ContactLost(error.kind, text, doing, error.passing)]
    if action_id:
        reason = OutcomeReason.COULD_NOT_START if isinstance(error, SecretError) else OutcomeReason.CONFLICT
        return [ActionEnded(action_id, Outcome.FAILED, reason, text)]
    if do in (Do.CONNECT, Do.CHECK_BOOT, Do.ASK_REBOOT):
        leg.close()
        return [Refused("connection", text)]
    return [StageFailed(_STAGE_OF[do], text)]


def _busy(state: State, do: Do, action_id: str, text: str) -> list[Entry]:
    """The end of a session on whose computer another one is at work."""
    over = StageFailed(Stage.EXECUTE, text, EndReason.BUSY)
    if do is Do.ASK_REBOOT and state.reboot is not None and state.identity is not None:
        return [RebootEnded(state.reboot.number, state.identity, text), over]
    return [ActionEnded(action_id, Outcome.SKIPPED, OutcomeReason.BUSY, text), over] if action_id else [over]


# --- stages ---------------------------------------------------------------------------------------------------


def _connect(state: State, leg: Leg) -> list[Entry]:
    connection = leg.connected()
    pinned = state.spec.pinned_identity
    if Stage.CONNECT in state.done:
        return _connect_again(state, leg, effects.meet_again(state, leg, expectation(pinned, state.identity)))
    ahead = _to_read_ahead(state, leg)
    identity, answers = connection.meet(expectation(pinned), ahead)
    if refused := refuse_stranger(state, leg, identity):
        return refused
    leg.ahead = {one.id: (one, answers[one.id]) for one in ahead if one.id in answers}
    return [Connected(identity)]


def _connect_again(state: State, leg: Leg, identity: Identity) -> list[Entry]:
    if refused := refuse_stranger(state, leg, identity):
        return refused
    before = state.identity
    same = before is not None and _alike(before, identity)
    if same and state.lost is None:
        leg.identity, leg.contact = identity, dataclasses.replace(leg.contact, connected=True)
        return []  # a new connection of a session that only polls is not worth an entry
    return [ContactBack(identity)]


def _alike(one: Identity, other: Identity) -> bool:
    """Whether a computer says the same of what a session goes on with: its boot, pending reboots, and time zone."""
    zones = one.system.get("time_zone"), other.system.get("time_zone")
    return one.boot == other.boot and one.pending_reboots == other.pending_reboots and zones[0] == zones[1]


def _to_read_ahead(state: State, leg: Leg) -> Sequence[ReadOperation]:
    """What the first stages will most likely ask, by what is known of the computer before it was spoken to.

    Asked together with its name it costs no PowerShell of its own. Answers to what is not asked after all are dropped.
    """
    address = leg.address
    if state.lost is not None or address is None or address.kind != "winrm":
        return ()
    known = presumed(state.spec.computer, leg.stored(), Platform.WINDOWS)
    if known.platform is not Platform.WINDOWS:
        return ()  # another computer had the name
    reads: dict[str, ReadOperation] = {}
    if Stage.INVENTORY in state.spec.stages:
        reads = {one.id: one for one in questions(leg.engine.fleet.library, known.platform)}
    if Stage.RESOLVE in state.spec.stages and Stage.DETECT in state.spec.stages:
        with contextlib.suppress(ImmyError):  # said again, and heard, when it is resolved
            desires, definitions, _ = _desires(state, leg, known)
            sure = [
                one for one in to_detect(state.spec.type, desires) if _is_sure(definitions.get(one.definition), known)
            ]
            for one in detection_of(sure, definitions).operations:
                reads.setdefault(one.id, one)
    return tuple(reads.values())


def _is_sure(item: Item | None, known: Identity) -> bool:
    """Whether what is known is enough to say that an item applies to the computer."""
    return bool(known.system) or item is None or item.requirements == Requirements()


def _desires(state: State, leg: Leg, identity: Identity) -> tuple[tuple[Desire, ...], dict[str, Item], dict[str, Json]]:
    """What the computer should have, the definitions, and the facts read for it, if it is as `identity` says."""
    return inputs.resolve(leg.engine, state.spec, identity, leg.stored())


def _resolve(state: State, leg: Leg) -> list[Entry]:
    assert state.identity is not None  # noqa: S101 - the chain puts connect first
    desires, definitions, seen = _desires(state, leg, state.identity)
    leg.engine.keep_definitions(definitions)
    return [Resolved(desires, seen)]


def _collect_facts(state: State, leg: Leg) -> list[Entry]:
    identity, spec = state.identity, state.spec
    detects = Stage.DETECT in spec.stages and Stage.DETECT not in state.done
    more = _detection(state).operations if detects else ()
    platform = identity.platform if identity is not None else Platform.WINDOWS
    answers = leg.read(questions(leg.engine.fleet.library, platform), more)
    return [FactsCollected(*facts_of(answers, leg.engine.clock.now()))]


def _detection(state: State) -> Detection:
    return detection_of(to_detect(state.spec.type, state.desires), state.definitions)


def _detect(state: State, leg: Leg) -> list[Entry]:
    detection = _detection(state)
    answers = leg.read(detection.operations)
    leg.ahead = {}
    return [Detected(detection.findings(answers))]


def _look_ready(state: State, leg: Leg) -> list[Entry]:
    """The preflights once more: what they say now in place of what they said before, where that is not the same."""
    gates = [one for one in preflights(state) if one.definition and not (one.error or one.unknown)]
    detection = detection_of(gates, state.definitions)
    reader: Reader = leg.connected()
    findings = detection.findings(reader.read(detection.operations))
    if all(state.findings.get(desire.id) == one for (desire, _), one in zip(detection.wanted, findings, strict=True)):
        return []
    ended: list[Entry] = []
    for (desire, item), finding in zip(detection.wanted, findings, strict=True):
        if (action := state.actions.get(desire.id)) is not None:
            decision = decide(desire, item, finding, effects.architecture(state))
            ended.append(outcomes.looked_at(action.plan, decision, finding))
    return [ReadyLooked(findings), *ended]


def _planning_of(state: State, leg: Leg, findings: Mapping[str, Finding], desires: tuple[Desire, ...]) -> Planning:
    """What a plan of this session is made from."""
    assert state.identity is not None  # noqa: S101 - planning comes after connecting
    ignored = state.spec.options.ignore_pending_reboots
    with leg.engine.history.read() as reader:
        before = reader.last_desires(state.spec.computer, state.spec.id, desires)
    fresh: frozenset[str] = frozenset()
    if before is not None and before is not desires:
        known = {one.id: one for one in before}
        fresh = frozenset(one.id for one in desires if _is_new(one, known.get(one.id)))
    return Planning(
        state.spec.type,
        state.spec.options,
        state.identity,
        desires,
        state.definitions,
        findings,
        fresh,
        tuple(name for name in state.pending if name not in ignored),
        effects.primary_user(state, leg),
    )


def _is_new(desire: Desire, before: Desire | None) -> bool:
    return before is None or inputs.input_of(desire) != inputs.input_of(before)


def _make_plan(state: State, leg: Leg) -> list[Entry]:
    hand = state.spec.by_hand
    if hand is not None:
        assert state.identity is not None  # noqa: S101 - planning comes after connecting
        return [Planned(command_plan(hand, state.spec.options, state.identity, effects.primary_user(state, leg)))]
    plan = make_plan(_planning_of(state, leg, state.findings, state.desires))
    if is_download(state.spec.trial):
        plan = download_plan(plan, state.desires, state.definitions, state.findings, effects.architecture(state))
    return [Planned(plan, of_plan(leg.engine, state, plan) if state.spec.type.executes else None)]


# --- judging after execution ----------------------------------------------------------------------------------


def _verify(state: State, leg: Leg) -> list[Entry]:
    pinned = {
        one.id: effects.pinned(one, state.actions[one.id].plan) for one in state.desires if one.id in state.actions
    }
    original = {one.id: one for one in state.desires}
    # Whether it is still ready says nothing of what was done.
    looked_at = [one for one in to_detect(state.spec.type, state.desires) if not one.preflight]
    detection = detection_of([pinned.get(one.id, one) for one in looked_at], state.definitions)
    reader: Reader = leg.connected()
    findings = detection.findings(reader.read(detection.operations))
    missing: list[str] = []
    untold: list[Entry] = []
    for (desire, item), finding in zip(detection.wanted, findings, strict=True):
        action = state.actions.get(desire.id)
        if action is None or action.ended is None:
            continue
        judged = effects.judged_by(desire, original[desire.id], finding)
        decision = decide(judged, item, finding, effects.architecture(state))
        if decision.unknown:
            untold += _untold(action, decision, finding)
            continue
        done = action.ended.outcome is Outcome.SUCCESS
        calm = action.ended.outcome is Outcome.NOTHING and not action.plan.requested_by
        if decision.type in effects.CHANGING_TYPES and (done or calm):
            missing.append(f"{desire.id}: {'still' if done else 'new work:'} {decision.type}: {decision.why}")
        elif decision.error and done:
            missing.append(f"{desire.id}: {decision.why}")
    return [*untold, Verified(findings, tuple(missing))]


def _untold(action: ActionState, decision: Decision, finding: Finding) -> list[Entry]:
    """The verdict on what cannot be told any more: failed after its own effect, else unknown; failed stays failed."""
    assert action.ended is not None  # noqa: S101 - the caller looked
    if action.ended.outcome not in (Outcome.SUCCESS, Outcome.NOTHING, Outcome.NOT_COMPLIANT):
        return []
    if (
        action.ended.reason in (OutcomeReason.NOT_APPLICABLE, OutcomeReason.IGNORED)
        or action.plan.reason is Reason.NOT_NEEDED
    ):
        return []
    outcome = Outcome.FAILED if action.attempt else Outcome.UNKNOWN
    owed = action.ended.reboot_owed
    reason = OutcomeReason.DETECTION_FAILED
    return [ActionEnded(action.plan.id, outcome, reason, decision.why, decision.found, finding, owed)]


_PERFORM: Mapping[Do, Callable[[State, Leg], list[Entry]]] = {
    Do.CONNECT: _connect,
    Do.RESOLVE: _resolve,
    Do.COLLECT_FACTS: _collect_facts,
    Do.DETECT: _detect,
    Do.MAKE_PLAN: _make_plan,
    Do.VERIFY: _verify,
    Do.LOOK_READY: _look_ready,
}
