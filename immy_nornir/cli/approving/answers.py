"""The question about a plan: shown for people, answered by the operator, by `--yes`, or by the end of the line."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from immy_nornir.cli.approving.plan import ComputerPlan, plan_lines
from immy_nornir.cli.door import say
from immy_nornir.model.record.words import word
from immy_nornir.text.plain import and_more, counted

if TYPE_CHECKING:
    from immy_nornir.session.approving.approvals import No, Question, Yes
    from immy_nornir.session.engine import StopFlag

_GLANCE = 0.1
"""How long an answer is waited for in one go: signals reach the main thread between two waits only."""
_UNPLANNED = 5


class Asker:
    """Answers questions (session.approving.approvals.Ask) by asking whoever sits at the terminal."""

    def __init__(
        self,
        stop: StopFlag,
        pause: Callable[[], AbstractContextManager[None]],
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """`pause` holds the live picture while a question is on the screen; `meanwhile` is called now and then."""
        self._stop = stop
        self._meanwhile = meanwhile
        self._pause = pause

    def __call__(self, question: Question) -> Yes | No | None:
        """Show what is planned, and say yes or no."""
        from immy_nornir.session.approving.approvals import No, Yes

        if question.over:
            with self._pause():
                _show(question, verbose=False)
                say(f"Not done: {question.over}.", err=True)
            return No(question.over)
        with self._pause():
            _show(question, verbose=False)
            while not self._stop.level:
                match self._answer("Go on? [y, N, or v for each computer]: "):
                    case "v" | "verbose":
                        _show(question, verbose=True)
                    case "y" | "yes":
                        return Yes("the operator")
                    case None:
                        break
                    case _:
                        return No("the operator said no")
        return None

    def _answer(self, prompt: str) -> str | None:
        """A line from the terminal, in lower case; None when everything is to stop, or nobody is there any more."""
        _forget_what_was_typed()
        say(prompt, err=True, nl=False)
        said: list[str] = []

        def read() -> None:
            # Not through sys.stdin: its lock would be held by this thread when the process ends.
            with contextlib.suppress(OSError):
                said.append(os.read(0, 4096).decode("utf-8", "replace"))

        reader = threading.Thread(target=read, name="immy-answer", daemon=True)
        reader.start()
        while reader.is_alive() and not self._stop.level:
            reader.join(_GLANCE)
            self._meanwhile()
        if not self._stop.level and not (said and said[0]):
            # The terminal has gone away, or its input has ended: nobody has said no.
            self._stop.raise_to(1)
        return None if self._stop.level else said[0].strip().lower()


def _show(question: Question, *, verbose: bool) -> None:
    plans = plans_of(question)
    kinds = Counter(word(action.type) for plan in plans for action in plan.actions)
    reboots = sum(bool(one.reboots or one.may_reboot) for one in plans)
    parts = [counted(len(plans), "computer"), counted(len({live.spec.tenant for live, _ in question.asking}), "tenant")]
    parts += [f"{number:,} {kind}" for kind, number in kinds.most_common()]
    parts += [f"{counted(reboots, 'computer')} may reboot" if reboots else "no reboots"]
    say(f"{question.about}: {', '.join(parts)}:", err=True)
    for line in plan_lines(plans, verbose=verbose):
        say(line, err=True)
    if question.unplanned:
        names = question.unplanned[:_UNPLANNED]
        more = and_more(len(question.unplanned) - _UNPLANNED)
        say(f"  not planned yet, asked about later: {', '.join(names)}{more}", err=True)


def plans_of(question: Question) -> Sequence[ComputerPlan]:
    """What is asked for, computer by computer."""
    plans = []
    for live, wants in question.asking:
        names = {one.id for one in wants.actions}
        recap = live.recap
        actions = [one for one in recap.actions if one.id in names]
        reboots = max(0, recap.reboots_planned - recap.reboots) if wants.reboots else 0
        plans.append(ComputerPlan(live.computer, actions, reboots, wants.reboots, recap.late))
    return plans


def _forget_what_was_typed() -> None:
    """An answer is to the question that is on the screen, not to what was there before."""
    if sys.platform != "win32":
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(0, termios.TCIFLUSH)
    else:
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
