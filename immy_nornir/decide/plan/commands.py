"""A command that somebody typed -> the plan of its session, and its one job; pure.

Its words travel as data and are put together on the computer (docs/wire.md, jobs of the kind `command`). Nothing is
detected for it, so nothing can say whether it is still needed: it is begun once.
"""

from __future__ import annotations

import shlex
from typing import Final

from immy_nornir.decide.plan.job_steps import Step
from immy_nornir.decide.plan.users import no_user, user_for
from immy_nornir.decide.resolve.primary_user import PrimaryUser
from immy_nornir.model.facts import Identity
from immy_nornir.model.items import Context, ItemKind, Language, Platform
from immy_nornir.model.plan import Held, Plan, PlannedAction, Reason
from immy_nornir.model.playbooks import ActionType, MaintenanceType, Options, Stage
from immy_nornir.model.record.session import ByHand
from immy_nornir.model.values import Json

COMMAND: Final = "command"
"""Id of the one action of such a session, and the name of its type."""

COMMAND_TYPE = MaintenanceType(
    COMMAND,
    (Stage.CONNECT, Stage.PLAN, Stage.EXECUTE, Stage.REPORT),
    frozenset[ItemKind](),
    frozenset({ActionType.RUN}),
    "runs a command that somebody typed",
)
"""No play can name it: it is of `immy exec` alone."""

_SHELLS = {Platform.WINDOWS: ("powershell", "cmd")}
_POSIX = ("sh",)


def line_of(hand: ByHand) -> str:
    """A command in one line, for people."""
    words = " ".join(shlex.quote(one) for one in hand.words)
    if hand.script is not None:
        return f"{hand.name} {words}".strip()
    return hand.words[0] if len(hand.words) == 1 else words


def command_plan(hand: ByHand, options: Options, identity: Identity, primary_user: PrimaryUser) -> Plan:
    """The plan: one action, held where the computer has no such shell, or nobody as whom it would run."""
    why, held = wrong_shell(hand, identity.platform), Held.NO_METHOD
    if not why and hand.context is Context.USER and not user_for(options, identity, primary_user):
        why, held = no_user(options, identity, primary_user), Held.USER_CONTEXT
    action = PlannedAction(
        COMMAND,
        COMMAND,
        "",
        ItemKind.TASK,
        ActionType.RUN,
        Reason.BY_HAND,
        line_of(hand),
        context=hand.context,
        held=held if why else None,
        held_why=why,
        timeout_seconds=hand.timeout_seconds,
    )
    return Plan((action,), () if why else ((COMMAND,),))


def wrong_shell(hand: ByHand, platform: Platform) -> str:
    """Why a computer of this platform cannot run it; empty where it can."""
    there = _SHELLS.get(platform, _POSIX)
    if hand.shell and hand.shell not in there:
        return f"{hand.shell} is no shell of this computer ({platform}); {' and '.join(there)} can be asked for"
    if hand.script is not None and hand.name.endswith(".ps1") and platform is not Platform.WINDOWS:
        return f"{hand.name} is PowerShell, and this computer runs sh"
    if hand.script is not None and hand.name.endswith(".sh") and platform is Platform.WINDOWS:
        return f"{hand.name} is for sh, and this computer runs PowerShell"
    if hand.script is not None and hand.shell == "cmd":
        return "a script is run by PowerShell; cmd takes a line or a program"
    return ""


def command_step(hand: ByHand, platform: Platform) -> Step:
    """Its job."""
    language = Language.POWERSHELL if platform is Platform.WINDOWS else Language.SH
    work: dict[str, Json] = {
        "words": list(hand.words),
        "script": hand.script,
        "language": language.value,
        "shell": hand.shell or _SHELLS.get(platform, _POSIX)[0],
    }
    return Step("command", "command", work)
