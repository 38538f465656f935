"""How a command that somebody typed begins and ends: once, judged by its exit code alone; pure."""

from __future__ import annotations

from immy_nornir.decide.plan.trials import is_download
from immy_nornir.decide.steps.state import State, meaning_of
from immy_nornir.decide.steps.under_way import ActionState, Job
from immy_nornir.model.items import ExitMeaning, Platform
from immy_nornir.model.record.entries import ActionEnded
from immy_nornir.model.record.session import Outcome, OutcomeReason, Purpose, SessionSpec

IN_DOUBT = "it left no result on the computer, and what it did is not known; it is not run again"
_REBOOTS = (ExitMeaning.SOFT_REBOOT, ExitMeaning.HARD_REBOOT)


def purpose_of(spec: SessionSpec) -> Purpose:
    """What the jobs of a session are for: a download alone leaves nothing behind that could be detected either."""
    return Purpose.BY_HAND if spec.by_hand is not None or is_download(spec.trial) else Purpose.ACT


def ended(state: State, one: ActionState, job: Job) -> ActionEnded:
    """The end of a command whose job is over: never a reason to run it again.

    Exit code 0 is good; on Windows those too with which Windows Installer says so, and asks for a reboot.
    """
    result, name = job.result, one.plan.id
    if result is None:
        return ActionEnded(name, Outcome.FAILED, OutcomeReason.IN_DOUBT, IN_DOUBT)
    if result.exit_code is None:
        late = result.error in ("deadline", "stopped") or result.error.startswith("ended at its deadline")
        reason = OutcomeReason.DEADLINE if late else OutcomeReason.COULD_NOT_START
        said = f"ended by its {result.error}" if result.error in ("deadline", "stopped") else result.error
        return ActionEnded(name, Outcome.FAILED, reason, said or "it could not be started")
    code, windows = result.exit_code, state.identity is not None and state.identity.platform is Platform.WINDOWS
    meaning = meaning_of(state, one) if windows or not code else ExitMeaning.FAILED
    good = meaning is ExitMeaning.SUCCESS or meaning in _REBOOTS
    asks = "; it asks for a reboot" if meaning in _REBOOTS else ""
    said = f"exit code {code}{asks}" + (f": {result.error}" if result.error and not good else "")
    if good:
        return ActionEnded(name, Outcome.SUCCESS, OutcomeReason.RAN, said if code else "", reboot_owed=bool(asks))
    return ActionEnded(name, Outcome.FAILED, OutcomeReason.EXIT_CODE, said)
