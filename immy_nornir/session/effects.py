"""The operations of a session that act on the computer, and how each action is judged right after it.

Every effect is a job with an id of its own, or a reboot bound to a boot: asking twice does nothing twice. Their intents
are durable before anything here is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from immy_nornir.decide import versions
from immy_nornir.decide.detect.detection import detect
from immy_nornir.decide.detect.facts import known_names
from immy_nornir.decide.plan.actions import Decision, decide, told
from immy_nornir.decide.plan.commands import command_step
from immy_nornir.decide.plan.job_steps import Step, steps_of
from immy_nornir.decide.plan.trials import download_step, is_download
from immy_nornir.decide.plan.users import NOBODY, no_user, user_for
from immy_nornir.decide.resolve.persons import VARIABLE
from immy_nornir.decide.resolve.primary_user import PrimaryUser, of_computer
from immy_nornir.decide.steps.ends import outcomes
from immy_nornir.decide.steps.ends.failure_line import failure_line
from immy_nornir.decide.steps.orders import to_stop, was_stopped
from immy_nornir.decide.steps.state import State, looked_at, meaning_of, rebooted_since
from immy_nornir.decide.steps.step import Do
from immy_nornir.decide.steps.under_way import ActionState, Job
from immy_nornir.errors import BusyError, DeclinedError, DroppedError, GarbledError, TransportTimeoutError
from immy_nornir.model.deployments import Desired, StateKind
from immy_nornir.model.facts import Finding, FindingStatus, Identity
from immy_nornir.model.items import Context, ExitMeaning, Item, ItemKind, Platform, RebootNeed
from immy_nornir.model.plan import Desire, PlannedAction
from immy_nornir.model.playbooks import CHANGING, ActionType, Reboot, UserContext
from immy_nornir.model.record.entries import (
    ActionEnded,
    ContactLost,
    Determined,
    Entry,
    JobEnded,
    JobSeen,
    Noted,
    Outdated,
    PendingFound,
    RebootAsked,
    RebootEnded,
    RetryLater,
)
from immy_nornir.model.record.order_entries import JobStopAsked
from immy_nornir.model.record.session import Outcome, OutcomeReason, Purpose
from immy_nornir.model.wire import AnswerStatus, JobSpec, JobState, JobStatus, Read, ReadOperation
from immy_nornir.remote.windows.connection import identity_from
from immy_nornir.session.hearing.job_output import asked_from, rest_of, settled, written_by
from immy_nornir.session.leg import LEASE_SECONDS, refuse_stranger

if TYPE_CHECKING:
    from immy_nornir.model.protocols import Reader
    from immy_nornir.session.leg import Leg

CHANGING_TYPES = CHANGING
START_WAIT_SECONDS = 2.0
"""How long a started job is watched in the same request: short ones end in it."""
POLL_WAIT_SECONDS = 3.0
"""An order to stop a job at once is carried out after it, and is itself found within a second: five in all."""
REBOOT_DELAY_SECONDS = 3
DOUBTS = 2
"""How often a lost job is begun anew after detection has shown that it is needed."""


def architecture(state: State) -> str | None:
    """The computer's architecture, where it is known."""
    value = state.identity.system.get("architecture") if state.identity is not None else None
    return value if isinstance(value, str) else None


def primary_user(state: State, leg: Leg) -> PrimaryUser:
    """The computer's primary user, as far as the session's options ask for one."""
    identity = leg.identity or state.identity
    if identity is None or state.spec.options.user_context is not UserContext.PRIMARY_USER:
        return NOBODY
    computer = leg.described
    place = computer.origins.get(VARIABLE)
    return of_computer(known_names(computer, {}), place, identity.system, leg.stored().sightings)


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


def judged_by(pin: Desire, desire: Desire, finding: Finding) -> Desire:
    """The desire to judge a finding by: a pinned version binds what shall only be there where it shows a version."""
    wanted = desire.desired
    if wanted is None or wanted.kind not in (StateKind.INSTALLED, StateKind.IGNORED) or pin is desire:
        return pin
    if finding.status is not FindingStatus.FOUND or versions.is_known(finding.version):
        return pin
    return dataclasses.replace(desire, desired=Desired(StateKind.INSTALLED))


def _desire(state: State, action_id: str) -> Desire:
    return next(one for one in state.desires if one.id == action_id)


def _look(state: State, leg: Leg, action: PlannedAction) -> tuple[Desire, Item, Finding, Identity | None]:
    """Detect one item again, with the pending reboots, in one request."""
    desire = pinned(_desire(state, action.id), action)
    item = state.definitions[desire.definition]
    detection = detect([(desire, item)])
    reader: Reader = leg.connected()
    answers = reader.read([ReadOperation("identity", Read.IDENTITY), *detection.operations])
    said = answers["identity"]
    identity = None
    if said.status is AnswerStatus.OK and isinstance(said.result, dict):
        identity = identity_from(said.result)
    finding = detection.findings(answers)[0]
    return judged_by(desire, _desire(state, action.id), finding), item, finding, identity


def _determine(state: State, leg: Leg, action_id: str) -> list[Entry]:
    action = state.actions[action_id].plan
    desire, item, finding, _ = _look(state, leg, action)
    decision = decide(desire, item, finding, architecture(state))
    if decision.error or decision.unknown:
        unknown = decision.unknown and not state.actions[action_id].attempt
        outcome = Outcome.UNKNOWN if unknown else Outcome.FAILED
        return [ActionEnded(action_id, outcome, outcomes.reason_of(decision), decision.why, finding=finding)]
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


def _start_job(state: State, leg: Leg, action_id: str) -> list[Entry]:
    one, job = state.actions[action_id], _under_way(state)
    step = _step(state, one, job)
    context = "system"
    if one.plan.context is Context.USER:
        identity = leg.identity or state.identity
        assert identity is not None  # noqa: S101 - connected
        said = PrimaryUser(one.plan.user, "planned") if one.plan.user else primary_user(state, leg)
        user = user_for(state.spec.options, identity, said)
        if not user:
            message = no_user(state.spec.options, identity, said)
            if one.plan.user and one.attempt < state.spec.options.retries:  # gone since it was looked
                return [RetryLater(action_id, leg.engine.clock.now(), message)]
            return [ActionEnded(action_id, Outcome.SKIPPED, OutcomeReason.USER_CONTEXT, message)]
        context = f"user:{user}"
    secrets = {name: leg.engine.secrets.reveal(ref) for name, ref in step.secrets.items()}
    detected = job.step == 0 and job.purpose is Purpose.ACT
    age = max(0.0, leg.engine.clock.now() - looked_at(state, one)) if detected else None
    spec = JobSpec(
        job.id,
        step.kind,
        step.work,
        context,
        one.plan.timeout_seconds,
        one.plan.item if job.purpose is Purpose.ACT else "",
        one.plan.type.value,
        age,
        secrets,
    )
    return _told(state, leg, leg.act(lambda connection: connection.start_job(spec, START_WAIT_SECONDS)))


def _step(state: State, one: ActionState, job: Job) -> Step:
    """What a job is to do."""
    hand = state.spec.by_hand
    if hand is not None:
        return command_step(hand, Platform.WINDOWS if state.identity is None else state.identity.platform)
    item = state.definitions[one.plan.definition]
    if is_download(state.spec.trial):
        return download_step(one.plan, item)
    return steps_of(one.plan, item, state.findings.get(one.plan.id))[job.step]


def _under_way(state: State) -> Job:
    assert state.job is not None  # noqa: S101 - next_step asks only then
    return state.job


def _poll_job(state: State, leg: Leg, _: str) -> list[Entry]:
    job = _under_way(state)
    found, leg.found = leg.found, None
    if found is not None and found[:2] == (job.id, job.offset):
        return _told(state, leg, found[2])
    return _told(state, leg, leg.connected().wait_job(job.id, asked_from(job), POLL_WAIT_SECONDS))


def _stop_job(state: State, leg: Leg, _: str) -> list[Entry]:
    job = _under_way(state)
    try:
        leg.connected().stop_job(job.id)
    except DeclinedError as error:
        return [JobStopAsked(job.id), Noted(f"the computer did not stop the job: {error.message}")]
    return [JobStopAsked(job.id)]


def meet_again(state: State, leg: Leg, expected: Mapping[str, str]) -> Identity:
    """The identity at the beginning of a later leg, with the word on the job that is at work, if there is one."""
    job = state.job
    if job is None or not job.seen or job.over or state.lost is not None:
        return leg.connected().identify()
    seconds = 0.0 if to_stop(state, job) else POLL_WAIT_SECONDS
    identity, status = leg.connected().find_job(expected, job.id, asked_from(job), seconds)
    leg.found = None if status is None else (job.id, job.offset, status)
    return identity


def _told(state: State, leg: Leg, status: JobStatus) -> list[Entry]:
    job = _under_way(state)
    match status.state:
        case JobState.FINISHED if status.result is not None:
            return _ended(leg, job, status, "")
        case JobState.FINISHED:
            return _ended(leg, job, status, "it has ended, and its result cannot be read")
        case JobState.LOST:
            return _ended(leg, job, status, "it left no result and its process is gone")
        case JobState.ABSENT:
            return [JobEnded(job.id, None, "", "the computer knows nothing of it", unknown=True)]
        case JobState.LOOK_AGAIN:
            said = "another session was at work there since it was looked at"
            again = [entry for name in job.actions for entry in _look_again(state, leg, name, said, 0.0)]
            # Whatever else was detected before is no better known.
            return [JobEnded(job.id, None, "", f"not begun: {said}", unknown=True), *again, Outdated(said)]
        case JobState.BUSY:
            return [entry for name in job.actions for entry in _busy(state, leg, name, status.output)]
        case _:
            redactor = leg.engine.redactor
            output, offset = settled(job, status, redactor)
            return [] if job.seen and not output else [JobSeen(job.id, redactor.clean(output), offset)]


def _ended(leg: Leg, job: Job, status: JobStatus, message: str) -> list[Entry]:
    """The end of a job with the rest of its output, which may cost the connection, but not what is known of the end."""
    connection, clean = leg.connected(), leg.engine.redactor.clean
    redactor = leg.engine.redactor
    output, lost = rest_of(job, status, lambda offset: connection.wait_job(job.id, offset, 0.0), redactor)
    entries: list[Entry] = [JobEnded(job.id, status.result, clean(output), message)]
    if lost is not None:
        leg.close()
        entries.append(ContactLost(lost.kind, clean(str(lost)), "reading the output of a job", lost.passing))
    return entries


def _busy(state: State, leg: Leg, action_id: str, other: str) -> list[Entry]:
    """Look again when the other may have ended: by then nothing may be left to do."""
    one, options = state.actions[action_id], state.spec.options
    message = f"an earlier job of {one.plan.item} is still at work there: {other}"
    if one.attempt >= options.retries:
        return [ActionEnded(one.plan.id, Outcome.FAILED, OutcomeReason.RETRIES, message)]
    return _look_again(state, leg, action_id, message, options.retry_seconds)


def _look_again(state: State, leg: Leg, action_id: str, message: str, seconds: float) -> list[Entry]:
    """Detect the item again before it is attempted again: by then nothing may be left to do."""
    plan = dataclasses.replace(state.actions[action_id].plan, type=ActionType.UNDETERMINED)
    return [RetryLater(action_id, leg.engine.clock.now() + seconds, message), Determined(plan)]


# --- judging --------------------------------------------------------------------------------------------------


def _verify_action(state: State, leg: Leg, action_id: str) -> list[Entry]:
    one = state.actions[action_id]
    desire, item, finding, identity = _look(state, leg, one.plan)
    entries: list[Entry] = []
    pending = state.pending
    if identity is not None and identity.pending_reboots != pending:
        entries.append(PendingFound(identity.pending_reboots))
        pending = identity.pending_reboots
    new = set(pending) - set(one.pending) - set(state.spec.options.ignore_pending_reboots)
    decision = decide(desire, item, finding, architecture(state))
    entries.append(_judged(state, leg, one, decision, finding, reboot_found=bool(new)))
    return entries


def _judged(
    state: State, leg: Leg, one: ActionState, decision: Decision, finding: Finding, *, reboot_found: bool
) -> Entry:
    action_id, result = one.plan.id, one.result
    meaning = meaning_of(state, one)
    rebooted = rebooted_since(state, one)
    soft = meaning is ExitMeaning.SOFT_REBOOT and not rebooted
    owed = not rebooted and _owes(one, soft=soft, reboot_found=reboot_found)
    skips = state.spec.options.reboot is Reboot.SKIP
    code = f"exit code {result.exit_code}" if result is not None and result.exit_code not in (None, 0) else ""
    satisfied = not decision.error and not decision.unknown and decision.type not in CHANGING
    if satisfied:
        note = "it was in doubt, and is as it should be" if result is None else code
        if meaning is ExitMeaning.FAILED and result is not None:
            note = f"{code or result.error}, but it is as it should be"
        reason = OutcomeReason.REBOOT_PENDING if owed and skips else OutcomeReason.VERIFIED
        message = "done, reboot pending" + (f" ({note})" if note else "") if owed and skips else note
        return ActionEnded(action_id, Outcome.SUCCESS, reason, message, told(finding), finding, owed)
    if decision.unknown or finding.status is FindingStatus.FAILED:
        reason = outcomes.reason_of(decision)
        return ActionEnded(action_id, Outcome.FAILED, reason, decision.why, "", finding, owed)
    if result is None:
        if one.doubts <= DOUBTS:
            message = "its job was lost and detection says it is still needed"
            return RetryLater(action_id, leg.engine.clock.now(), message)
        message = f"its job was lost {one.doubts} times; {decision.why}"
        return ActionEnded(action_id, Outcome.FAILED, OutcomeReason.IN_DOUBT, message, told(finding), finding, owed)
    if soft and not skips:
        message = f"{code}; to be seen after the reboot"
        return ActionEnded(
            action_id, Outcome.SUCCESS, OutcomeReason.REBOOT_PENDING, message, told(finding), finding, True
        )
    if result.error == "stopped" and (stopper := was_stopped(state)):
        return ActionEnded(action_id, Outcome.CANCELLED, OutcomeReason.CANCELLED, stopper, told(finding), finding, owed)
    output = written_by(leg.engine.history, state.spec.id, one.job)
    return _unsatisfied(one, decision, finding, meaning, output, owed=owed)


def _owes(one: ActionState, *, soft: bool, reboot_found: bool) -> bool:
    return soft or one.plan.reboot is RebootNeed.AFTER or (reboot_found and one.plan.reboot is RebootNeed.IF_NEEDED)


def _unsatisfied(
    one: ActionState, decision: Decision, finding: Finding, meaning: ExitMeaning, output: str, *, owed: bool
) -> ActionEnded:
    result = one.result
    assert result is not None  # noqa: S101 - the caller looked
    reason = OutcomeReason.NOT_CONVERGED
    message, said = f"it ended well, but: {decision.why}", failure_line(output, any_line=False)
    if result.error in ("deadline", "stopped"):
        reason, message, said = OutcomeReason.DEADLINE, f"ended by its {result.error}", failure_line(output)
    elif meaning is ExitMeaning.FAILED:
        said = result.error or failure_line(output)
        reason, message = OutcomeReason.EXIT_CODE, f"exit code {result.exit_code}"
        if result.exit_code is None:
            reason, message = OutcomeReason.COULD_NOT_START, "it could not be started"
    if said:
        message = said if reason is OutcomeReason.COULD_NOT_START else f"{message}: {said}"
    return ActionEnded(one.plan.id, Outcome.FAILED, reason, message, told(finding), finding, owed)


# --- reboots --------------------------------------------------------------------------------------------------


def _ask_reboot(state: State, leg: Leg, _: str) -> list[Entry]:
    reboot = state.reboot
    assert reboot is not None  # noqa: S101 - next_step asks only then
    # Lost before the request was sent, it is asked again; only from then on it may be on its way.
    connection = leg.connected()
    identity = connection.identify()
    if refused := refuse_stranger(state, leg, identity):
        return refused
    if reboot.boot.differs(identity.boot):
        return [RebootEnded(reboot.number, identity, "it had rebooted already")]
    try:
        # Nobody may take the computer for free while it is away.
        seconds = state.spec.options.reboot_timeout_minutes * 60 + LEASE_SECONDS
        leg.act(lambda connection: connection.reboot(reboot.boot, REBOOT_DELAY_SECONDS, reboot.why), seconds)
    except (DroppedError, TransportTimeoutError, GarbledError) as error:
        if error.nothing_sent:
            raise
        leg.close()
        return [Noted(f"the answer to the request to reboot was lost: {error.message}"), RebootAsked(reboot.number)]
    except BusyError:
        raise
    except DeclinedError as error:
        return [RebootEnded(reboot.number, None, f"the reboot was refused: {error.message}")]
    leg.close()
    return [RebootAsked(reboot.number)]


def _check_boot(state: State, leg: Leg, _: str) -> list[Entry]:
    reboot = state.reboot
    assert reboot is not None  # noqa: S101 - next_step asks only then
    identity = leg.connected().identify()
    if refused := refuse_stranger(state, leg, identity):
        return refused
    if reboot.boot.differs(identity.boot):
        return [RebootEnded(reboot.number, identity)]
    leg.close()
    return []


PERFORM: Mapping[Do, Callable[[State, Leg, str], list[Entry]]] = {
    Do.DETERMINE: _determine,
    Do.START_JOB: _start_job,
    Do.POLL_JOB: _poll_job,
    Do.STOP_JOB: _stop_job,
    Do.VERIFY_ACTION: _verify_action,
    Do.ASK_REBOOT: _ask_reboot,
    Do.CHECK_BOOT: _check_boot,
}
