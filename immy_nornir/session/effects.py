"""The operations of a session that act on the computer, and how each action is judged right after it.

Every effect is a job with an id of its own, or a reboot bound to a boot: asking twice does nothing twice. Their intents
are durable before anything here is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from immy_nornir.decide.detect.detection import detect
from immy_nornir.decide.detect.identity import identity_mismatch
from immy_nornir.decide.plan.actions import Decision, decide
from immy_nornir.decide.plan.job_steps import steps_of
from immy_nornir.decide.plan.make_plan import user_for
from immy_nornir.decide.steps.next_step import Do, meaning_of
from immy_nornir.decide.steps.state import ActionState, rebooted_since
from immy_nornir.errors import DroppedError, GarbledError, RefusedError, TransportTimeoutError
from immy_nornir.model.deployments import Desired, StateKind
from immy_nornir.model.facts import Finding, FindingStatus, Identity
from immy_nornir.model.items import Context, ExitMeaning, Item, ItemKind, RebootNeed
from immy_nornir.model.plan import Desire, PlannedAction
from immy_nornir.model.playbooks import CHANGING, ActionType, Reboot
from immy_nornir.model.record.entries import (
    ActionEnded,
    Determined,
    Entry,
    JobEnded,
    JobSeen,
    Noted,
    PendingFound,
    RebootAsked,
    RebootEnded,
    Refused,
    RetryLater,
)
from immy_nornir.model.record.session import Outcome, OutcomeReason
from immy_nornir.model.wire import AnswerStatus, JobSpec, JobState, JobStatus, Read, ReadOperation
from immy_nornir.remote.windows.connection import identity_from

if TYPE_CHECKING:
    from immy_nornir.model.protocols import Reader
    from immy_nornir.session.live import LiveSession

CHANGING_TYPES = CHANGING
START_WAIT_SECONDS = 2.0
"""How long a started job is watched in the same request: short ones end in it."""
POLL_WAIT_SECONDS = 5.0
REBOOT_DELAY_SECONDS = 3
_LONGEST_LINE = 10_000
DOUBTS = 2
"""How often a lost job is begun anew after detection has shown that it is needed."""


def architecture(live: LiveSession) -> str | None:
    """The computer's architecture, where it is known."""
    value = live.state.identity.system.get("architecture") if live.state.identity is not None else None
    return value if isinstance(value, str) else None


def refuse_stranger(live: LiveSession, identity: Identity) -> list[Entry]:
    """The end of a session whose computer is another one than is meant; nothing when it is the one."""
    wrong = identity_mismatch(live.state.spec.pinned_identity, identity, live.state.identity)
    if not wrong:
        return []
    live.close()
    return [Refused("identity", wrong)]


def primary_user(live: LiveSession) -> str:
    """The computer's primary user, as far as one is set."""
    return str(live.described.variables.get("immy_primary_user") or "")


def pinned(desire: Desire, action: PlannedAction) -> Desire:
    """The desire with what its moving words meant in the plan: `latest` is at least the version that was planned."""
    moving = (StateKind.LATEST, StateKind.INSTALLED, StateKind.UPDATE_IF_FOUND, StateKind.IGNORED)
    if desire.kind is not ItemKind.SOFTWARE or desire.desired is None or desire.desired.kind not in moving:
        return desire
    if action.type not in CHANGING:
        return desire
    if action.version:
        return dataclasses.replace(desire, desired=Desired(StateKind.AT_LEAST, action.version))
    return dataclasses.replace(desire, desired=Desired(StateKind.INSTALLED))


def _desire(live: LiveSession, action_id: str) -> Desire:
    return next(one for one in live.state.desires if one.id == action_id)


def _look(live: LiveSession, action: PlannedAction) -> tuple[Desire, Item, Finding, Identity | None]:
    """Detect one item again, with the pending reboots, in one request."""
    desire = pinned(_desire(live, action.id), action)
    item = live.state.definitions[desire.definition]
    detection = detect([(desire, item)])
    reader: Reader = live.connected()
    answers = reader.read([ReadOperation("identity", Read.IDENTITY), *detection.operations])
    said = answers["identity"]
    identity = None
    if said.status is AnswerStatus.OK and isinstance(said.result, dict):
        identity = identity_from(said.result)
    return desire, item, detection.findings(answers)[0], identity


def _determine(live: LiveSession, action_id: str) -> list[Entry]:
    action = live.state.actions[action_id].plan
    desire, item, finding, _ = _look(live, action)
    decision = decide(desire, item, finding, architecture(live))
    if decision.error:
        return [ActionEnded(action_id, Outcome.FAILED, OutcomeReason.DETECTION_FAILED, decision.why, finding=finding)]
    if decision.type not in CHANGING:
        reason = OutcomeReason.ALREADY_SO
        return [ActionEnded(action_id, Outcome.NOTHING, reason, decision.why, decision.found, finding)]
    determined = dataclasses.replace(
        action,
        type=decision.type,
        reason=decision.reason,
        why=decision.why,
        found=decision.found,
        version=decision.version or None,
        release=decision.release,
        changes=finding.changes,
    )
    return [Determined(determined)]


# --- jobs -----------------------------------------------------------------------------------------------------


def _start_job(live: LiveSession, action_id: str) -> list[Entry]:
    one = live.state.actions[action_id]
    item = live.state.definitions[one.plan.definition]
    step = steps_of(one.plan, item, live.state.findings.get(action_id))[one.step]
    context = "system"
    if one.plan.context is Context.USER:
        assert live.state.identity is not None  # noqa: S101 - connected
        user = user_for(live.state.spec.options, live.state.identity, primary_user(live))
        if not user:
            message = "nobody is logged on as whom it could run"
            return [ActionEnded(action_id, Outcome.SKIPPED, OutcomeReason.USER_CONTEXT, message)]
        context = f"user:{user}"
    secrets = {name: live.engine.secrets.reveal(ref) for name, ref in step.secrets.items()}
    spec = JobSpec(
        one.job_id, step.kind, step.work, context, one.plan.timeout_seconds, one.plan.item, one.plan.type.value, secrets
    )
    return _told(live, one, live.connected().start_job(spec, START_WAIT_SECONDS))


def _poll_job(live: LiveSession, action_id: str) -> list[Entry]:
    one = live.state.actions[action_id]
    found, live.found = live.found, None
    if found is not None and found[:2] == (one.job_id, one.offset):
        return _told(live, one, found[2])
    return _told(live, one, live.connected().wait_job(one.job_id, one.offset, POLL_WAIT_SECONDS))


def meet_again(live: LiveSession, expected: Mapping[str, str]) -> Identity:
    """The identity at the beginning of a later leg, with the word on the job that is at work, if there is one."""
    one = live.state.actions.get(live.state.current)
    if one is None or not one.seen or one.over or one.ended is not None or live.state.lost is not None:
        return live.connected().identify()
    identity, status = live.connected().find_job(expected, one.job_id, one.offset, POLL_WAIT_SECONDS)
    live.found = None if status is None else (one.job_id, one.offset, status)
    return identity


def _told(live: LiveSession, one: ActionState, status: JobStatus) -> list[Entry]:
    action_id = one.plan.id
    match status.state:
        case JobState.FINISHED if status.result is not None:
            return [JobEnded(action_id, status.result, status.output)]
        case JobState.LOST:
            return [JobEnded(action_id, None, status.output, "it left no result and its process is gone")]
        case JobState.ABSENT:
            return [JobEnded(action_id, None, "", "the computer knows nothing of it")]
        case JobState.BUSY:
            return _busy(live, one, f"an earlier job of {one.plan.item} is still at work there: {status.output}")
        case _:
            output, offset = _whole_lines(one, status)
            return [] if one.seen and not output else [JobSeen(action_id, output, offset)]


def _busy(live: LiveSession, one: ActionState, message: str) -> list[Entry]:
    """Look again when the other may have ended: by then nothing may be left to do."""
    options = live.state.spec.options
    if one.attempt >= options.retries:
        return [ActionEnded(one.plan.id, Outcome.FAILED, OutcomeReason.RETRIES, message)]
    later = RetryLater(one.plan.id, live.engine.clock.now() + options.retry_seconds, message)
    return [later, Determined(dataclasses.replace(one.plan, type=ActionType.UNDETERMINED))]


def _whole_lines(one: ActionState, status: JobStatus) -> tuple[str, int]:
    """The output up to its last line's end: a secret cut across two polls would not be recognised."""
    whole, end, rest = status.output.rpartition("\n")
    if "\ufffd" in rest or len(rest) > _LONGEST_LINE:
        return status.output, status.next_offset
    return (whole + end, status.next_offset - len(rest.encode())) if whole + end else ("", one.offset)


# --- judging --------------------------------------------------------------------------------------------------


def _verify_action(live: LiveSession, action_id: str) -> list[Entry]:
    one = live.state.actions[action_id]
    desire, item, finding, identity = _look(live, one.plan)
    entries: list[Entry] = []
    pending = live.state.pending
    if identity is not None and identity.pending_reboots != pending:
        entries.append(PendingFound(identity.pending_reboots))
        pending = identity.pending_reboots
    new = set(pending) - set(one.pending) - set(live.state.spec.options.ignore_pending_reboots)
    decision = decide(desire, item, finding, architecture(live))
    entries.append(_judged(live, one, decision, finding, reboot_found=bool(new)))
    return entries


def _judged(live: LiveSession, one: ActionState, decision: Decision, finding: Finding, *, reboot_found: bool) -> Entry:
    action_id, result = one.plan.id, one.result
    meaning = meaning_of(live.state, one)
    rebooted = rebooted_since(live.state, one)
    soft = meaning is ExitMeaning.SOFT_REBOOT and not rebooted
    owed = not rebooted and _owes(one, soft=soft, reboot_found=reboot_found)
    skips = live.state.spec.options.reboot is Reboot.SKIP
    code = f"exit code {result.exit_code}" if result is not None and result.exit_code not in (None, 0) else ""
    satisfied = not decision.error and decision.type not in CHANGING
    if satisfied:
        note = "it was in doubt, and is as it should be" if result is None else code
        if meaning is ExitMeaning.FAILED and result is not None:
            note = f"{code or result.error}, but it is as it should be"
        reason = OutcomeReason.REBOOT_PENDING if owed and skips else OutcomeReason.VERIFIED
        message = "done, reboot pending" + (f" ({note})" if note else "") if owed and skips else note
        return ActionEnded(action_id, Outcome.SUCCESS, reason, message, _after(finding), finding, owed)
    if finding.status is FindingStatus.FAILED:
        return ActionEnded(action_id, Outcome.FAILED, OutcomeReason.DETECTION_FAILED, decision.why, "", finding, owed)
    if result is None:
        if one.doubts <= DOUBTS:
            message = "its job was lost and detection says it is still needed"
            return RetryLater(action_id, live.engine.clock.now(), message)
        message = f"its job was lost {one.doubts} times; {decision.why}"
        return ActionEnded(action_id, Outcome.FAILED, OutcomeReason.IN_DOUBT, message, _after(finding), finding, owed)
    if soft and not skips:
        message = f"{code}; to be seen after the reboot"
        return ActionEnded(
            action_id, Outcome.SUCCESS, OutcomeReason.REBOOT_PENDING, message, _after(finding), finding, True
        )
    return _unsatisfied(one, decision, finding, meaning, owed=owed)


def _owes(one: ActionState, *, soft: bool, reboot_found: bool) -> bool:
    return soft or one.plan.reboot is RebootNeed.AFTER or (reboot_found and one.plan.reboot is RebootNeed.IF_NEEDED)


def _unsatisfied(
    one: ActionState, decision: Decision, finding: Finding, meaning: ExitMeaning, *, owed: bool
) -> ActionEnded:
    result = one.result
    assert result is not None  # noqa: S101 - the caller looked
    reason = OutcomeReason.NOT_CONVERGED
    message = f"it ended well, but: {decision.why}"
    if result.error in ("deadline", "stopped"):
        reason, message = OutcomeReason.DEADLINE, f"ended by its {result.error}"
    elif meaning is ExitMeaning.FAILED:
        said = f": {result.error}" if result.error else ""
        reason, message = OutcomeReason.EXIT_CODE, f"exit code {result.exit_code}{said}"
        if result.exit_code is None:
            reason, message = OutcomeReason.COULD_NOT_START, result.error or "it could not be started"
    return ActionEnded(one.plan.id, Outcome.FAILED, reason, message, _after(finding), finding, owed)


def _after(finding: Finding) -> str:
    if finding.status is FindingStatus.FOUND:
        return finding.version or "present"
    return finding.status.value.replace("_", " ")


# --- reboots --------------------------------------------------------------------------------------------------


def _ask_reboot(live: LiveSession, _: str) -> list[Entry]:
    reboot = live.state.reboot
    assert reboot is not None  # noqa: S101 - next_step asks only then
    # Lost before the request was sent, it is asked again; only from then on it may be on its way.
    connection = live.connected()
    identity = connection.identify()
    if refused := refuse_stranger(live, identity):
        return refused
    if reboot.boot.differs(identity.boot):
        return [RebootEnded(reboot.number, identity, "it had rebooted already")]
    try:
        connection.reboot(reboot.boot, REBOOT_DELAY_SECONDS, reboot.why)
    except (DroppedError, TransportTimeoutError, GarbledError) as error:
        live.close()
        return [Noted(f"the answer to the request to reboot was lost: {error.message}"), RebootAsked(reboot.number)]
    except RefusedError as error:
        return [RebootEnded(reboot.number, None, f"the reboot was refused: {error.message}")]
    live.close()
    return [RebootAsked(reboot.number)]


def _check_boot(live: LiveSession, _: str) -> list[Entry]:
    reboot = live.state.reboot
    assert reboot is not None  # noqa: S101 - next_step asks only then
    identity = live.connected().identify()
    if refused := refuse_stranger(live, identity):
        return refused
    if reboot.boot.differs(identity.boot):
        return [RebootEnded(reboot.number, identity)]
    live.close()
    return []


PERFORM: Mapping[Do, Callable[[LiveSession, str], list[Entry]]] = {
    Do.DETERMINE: _determine,
    Do.START_JOB: _start_job,
    Do.POLL_JOB: _poll_job,
    Do.VERIFY_ACTION: _verify_action,
    Do.ASK_REBOOT: _ask_reboot,
    Do.CHECK_BOOT: _check_boot,
}
