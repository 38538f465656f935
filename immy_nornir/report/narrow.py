"""Rows of a run -> the same rows as one tenant may see them: nothing of other tenants, nothing of the operator; pure.

What is the operator's own is left out: the command, files, user, machine, names of plays, ids that count the whole
run. Sentences that may tell of others or of the operator's machine give way to what their reason means; in those that
come from the tenant's own computers the names of others are replaced.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from immy_nornir.history.queries import ActionRow, JobRow, RunRow, SessionRow
from immy_nornir.history.tables.about import Others
from immy_nornir.model.plan import Reason
from immy_nornir.model.record.session import OutcomeReason, Status
from immy_nornir.report import words
from immy_nornir.report.model import UNFINISHED

_OWN_MESSAGES = frozenset(
    {
        OutcomeReason.VERIFIED,
        OutcomeReason.ALREADY_SO,
        OutcomeReason.REBOOT_PENDING,
        OutcomeReason.EXIT_CODE,
        OutcomeReason.NOT_CONVERGED,
        OutcomeReason.DETECTION_FAILED,
        OutcomeReason.DEADLINE,
        OutcomeReason.RETRIES,
        OutcomeReason.USER_CONTEXT,
        OutcomeReason.AUDIT,
        OutcomeReason.MONITOR,
        OutcomeReason.NOT_APPLICABLE,
    }
)
"""Reasons whose message comes from the computer; those of all others may tell of files, other computers or people."""

_OWN_WHYS = frozenset(Reason) - {
    Reason.IGNORED,
    Reason.DETECTION_FAILED,
    Reason.UNDECIDED,
    Reason.WRONG_DEFINITION,
    Reason.CONFLICT,
    Reason.OFFLINE,
}
"""Reasons whose sentence compares what is there with what is wanted; the others name files and rules."""

_OPEN = (Status.RUNNING, Status.WAITING, Status.CREATED)
_SHORTEST = 3
"""Names with fewer characters, and numbers, are too likely something else."""


def narrow(
    run: RunRow, sessions: Sequence[SessionRow], jobs: Mapping[str, Sequence[JobRow]], others: Others
) -> tuple[RunRow, list[SessionRow], dict[str, list[JobRow]]]:
    """The run, the sessions and their jobs as the tenant of these sessions may see them."""
    own = {name for one in sessions for name in (one.computer, one.tenant)}
    names = _Names(others, {run.user, run.machine}, own, run.fleet)
    plays = {play: f"play {number}" for number, play in enumerate(dict.fromkeys(_in_time(sessions)), 1)}
    shown: list[SessionRow] = []
    found: dict[str, list[JobRow]] = {}
    taken: dict[str, int] = {}
    for one in sessions:
        taken[one.computer] = number = taken.get(one.computer, 0) + 1
        name = f"{run.id}/{one.computer}" + (f"/{number}" if number > 1 else "")
        shown.append(_session(one, name, plays[one.play] if len(plays) > 1 else "", names))
        if one.id in jobs:
            found[name] = [_job(job, one.id, name, names) for job in jobs[one.id]]
    return _run(run, sessions), shown, found


def _in_time(sessions: Sequence[SessionRow]) -> list[str]:
    return [one.play for one in sorted(sessions, key=lambda one: (one.created_at, len(one.id), one.id))]


def _run(run: RunRow, sessions: Sequence[SessionRow]) -> RunRow:
    """The run as far as these sessions are it: when they were, and whether they have ended."""
    begins = [one.started_at for one in sessions if one.started_at is not None]
    ends = [one.ended_at for one in sessions if one.ended_at is not None]
    statuses = {one.status for one in sessions}
    going_on, left = bool(statuses & set(_OPEN)), Status.INTERRUPTED in statuses
    return RunRow(
        run.id,
        min(begins, default=run.started_at),
        max(ends, default=None) if not going_on and not left else None,
        command="",
        playbook="",
        fleet="",
        commit="",
        user="",
        machine="",
        status="running" if going_on else "interrupted" if left else "ended",
        note="",
    )


def _session(one: SessionRow, name: str, play: str, names: _Names) -> SessionRow:
    actions = tuple(_action(action, names) for action in one.actions)
    reboots = tuple((names.hidden(why), _reboot_end(outcome)) for why, outcome in one.reboot_reasons)
    kind = one.waiting.partition(":")[0]
    return dataclasses.replace(
        one,
        id=name,
        type="",
        play=play,
        reason=_reason(one),
        waiting=f"{kind}: {words.WAITS[kind]}" if kind in words.WAITS else "",
        owner="",
        actions=actions,
        reboot_reasons=reboots,
    )


def _reason(one: SessionRow) -> str:
    """Why the session has its status, without the words that it was told in: they name addresses, files and people."""
    if one.status is Status.WAITING:
        kind = one.waiting.partition(":")[0]
        return words.WAITS.get(kind, "")
    contact = words.contact_sentence(one.reason)
    if contact:
        return f"{one.reason.partition(':')[0]}: {contact}"
    if one.end_reason == "actions" or (not one.end_reason and one.status in (Status.FAILED, Status.PARTIALLY_PASSED)):
        return words.counted(action.outcome or UNFINISHED for action in one.actions)
    return words.ENDS.get(one.end_reason, "")


def _reboot_end(outcome: str) -> str:
    return outcome if outcome in ("", "rebooted") else "The computer did not come back as expected."


def _action(one: ActionRow, names: _Names) -> ActionRow:
    message = one.message if one.outcome_reason in _OWN_MESSAGES else ""
    return dataclasses.replace(
        one,
        why=names.hidden(one.why) if one.reason in _OWN_WHYS else "",
        found=names.hidden(one.found),
        desired=names.hidden(one.desired),
        after=names.hidden(one.after),
        version=None if one.version is None else names.hidden(one.version),
        deployment="",
        message=names.hidden(message),
    )


def _job(one: JobRow, old: str, new: str, names: _Names) -> JobRow:
    job_id = new + one.job_id.removeprefix(old) if one.job_id.startswith(old) else new
    return dataclasses.replace(one, job_id=job_id, error=names.hidden(one.error), output=names.hidden(one.output))


_WORD = re.compile(r"[^\W_]+")


class _Names:
    """Finds the names of others in texts, whole and without regard to case; takes no longer for many names."""

    def __init__(self, others: Others, people: Iterable[str], own: Iterable[str], fleet: str) -> None:
        # A path; a plain word may stand for anything.
        self._files = re.compile(re.escape(fleet) + r"[^\s'\"]*") if "/" in fleet or "\\" in fleet else None
        told = dict.fromkeys((*people, *others.operators), "the operator")
        told |= dict.fromkeys(others.computers, "another computer")
        told |= dict.fromkeys(others.tenants, "another customer")
        # The tenant's own names stand in for themselves: one of them may hold a name of somebody else.
        known = {name.lower(): shown for name, shown in told.items() if _is_telling(name)}
        known |= dict.fromkeys((name.lower() for name in own), "")
        self._known: dict[str, str] = {}
        lengths: dict[str, set[int]] = {}
        for name, shown in known.items():
            words_of = [*_WORD.finditer(name)]
            if words_of:
                self._known[name[words_of[0].start() : words_of[-1].end()]] = shown
                lengths.setdefault(words_of[0][0], set()).add(len(words_of))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        """First word of a name -> how many words such names have, the longest first."""

    def hidden(self, text: str) -> str:
        """The text with `another computer`, `another customer` and `the operator` for their names."""
        if self._files is not None:
            text = self._files.sub("the operator's files", text)
        low = text.lower()
        if len(low) != len(text):  # a few characters get longer, and places would not be the same
            text = low
        parts: list[str] = []
        end = 0
        found = [*_WORD.finditer(low)]
        for place, word in enumerate(found):
            if word.start() < end:
                continue
            for length in self._lengths.get(word[0], ()):
                last = found[min(place + length, len(found)) - 1].end()
                shown = self._known.get(low[word.start() : last])
                if shown is not None:
                    parts += text[end : word.start()], shown or text[word.start() : last]
                    end = last
                    break
        return "".join([*parts, text[end:]])


def _is_telling(name: str) -> bool:
    return len(name) >= _SHORTEST and not name.isdigit()
