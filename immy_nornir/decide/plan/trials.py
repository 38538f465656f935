"""One item tried out by whoever writes it: what is wanted of it, the stages of its session, a download alone; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from immy_nornir.decide.plan.actions import decide
from immy_nornir.decide.plan.job_steps import Step, steps_of
from immy_nornir.decide.resolve.winning_deployments import Candidates
from immy_nornir.model.deployments import Deployment, Desired, Enforcement, Scope, StateKind, TaskMode
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.inventory import Sourced
from immy_nornir.model.items import Item, ItemKind, Software
from immy_nornir.model.places import Place
from immy_nornir.model.plan import Desire, Held, Plan, PlannedAction, Reason
from immy_nornir.model.playbooks import CHANGING, READING, ActionType, MaintenanceType, Stage
from immy_nornir.model.record.session import Part, Trial

TEST: Final = "test"
_C, _R, _I, _D, _P, _E, _V, _T = Stage
_CHAINS: Mapping[Part, tuple[Stage, ...]] = {
    Part.REQUIREMENTS: (_C, _R, _I, _P, _T),
    Part.DETECT: (_C, _R, _D, _P, _T),
    Part.DOWNLOAD: (_C, _R, _D, _P, _E, _T),
    Part.INSTALL: (_C, _R, _D, _P, _E, _V, _T),
    Part.UNINSTALL: (_C, _R, _D, _P, _E, _V, _T),
    Part.ALL: (_C, _R, _I, _D, _P, _E, _V, _T),
}


def type_of(part: Part) -> MaintenanceType:
    """The maintenance type of a trial; no play can name it."""
    looks = frozenset[ItemKind]() if part is Part.REQUIREMENTS else frozenset(ItemKind)
    return MaintenanceType(TEST, _CHAINS[part], looks, (CHANGING | READING) - {ActionType.RUN}, "tries one item out")


def wrong_part(part: Part, item: str) -> str:
    """Why an item has no such part; empty where it has."""
    if item.startswith("task/") and part in (Part.DOWNLOAD, Part.UNINSTALL):
        return f"a task has no {part}: detect runs its get and test, install its set"
    return ""


def candidates(trial: Trial, own: Candidates, computer: str) -> Candidates:
    """A deployment of the item to the computer; parameters as the strongest that there is has them, where there is one.

    A trial is about the item, whatever deployments say of its state and conditions.
    """
    known = next((some[0] for (item, _), some in own.items() if item == trial.item and some), None)
    params = {**({} if known is None else known.params), **{name: Sourced(one) for name, one in trial.params.items()}}
    software = trial.item.startswith("software/")
    state = Desired(StateKind.ABSENT if trial.part is Part.UNINSTALL else StateKind.LATEST) if software else None
    mode = None if software else TaskMode.ENFORCE
    place = Place("command line") if known is None else known.place
    made = Deployment(trial.item, computer, place, Scope.COMPUTER, None, state, mode, Enforcement.REQUIRED, params)
    return Candidates([made])


def desires_of_part(trial: Trial, desires: Iterable[Desire]) -> tuple[Desire, ...]:
    """The desires that the part is about: with everything that the item asks for only where all of it is tried."""
    return tuple(one for one in desires if trial.part in (Part.ALL, Part.REQUIREMENTS) or one.item == trial.item)


def is_download(trial: Trial | None) -> bool:
    """Whether nothing but a download is tried."""
    return trial is not None and trial.part is Part.DOWNLOAD


def download_plan(
    plan: Plan,
    desires: Sequence[Desire],
    definitions: Mapping[str, Item],
    findings: Mapping[str, Finding],
    architecture: str | None,
) -> Plan:
    """The plan of a download alone: of the release that would be installed where nothing is."""
    actions = []
    for one in plan.actions:
        item, finding = definitions.get(one.definition), findings.get(one.id)
        desire = next((desire for desire in desires if desire.id == one.id), None)
        if not isinstance(item, Software) or finding is None or desire is None or not one.definition:
            actions.append(one)
            continue
        absent = dataclasses.replace(finding, status=FindingStatus.NOT_FOUND, version=None, sound=None)
        decision = decide(desire, item, absent, architecture)
        found = dataclasses.replace(
            one, type=ActionType.INSTALL, reason=Reason.BY_HAND, held=None, held_why="", release=decision.release
        )
        actions.append(_downloadable(found, decision.why))
    doing = tuple(one.id for one in actions if one.to_do)
    return Plan(tuple(actions), (doing,) if doing else ())


def _downloadable(action: PlannedAction, why: str) -> PlannedAction:
    release = action.release
    if release is None or release.url is None:
        missing = f"nothing of it is downloaded: {'its release has no url' if release is not None else why}"
        return dataclasses.replace(action, held=Held.NO_METHOD, held_why=missing)
    return dataclasses.replace(
        action, version=release.version or None, why=f"downloaded from {release.url}, not started"
    )


def download_step(action: PlannedAction, item: Item) -> Step:
    """The download of an installation, and nothing more of it."""
    step = next(one for one in steps_of(action, item, None) if one.work.get("url"))
    work = {name: value for name, value in step.work.items() if name not in ("script", "language", "params")}
    return Step("download", "installer", {**work, "only": "download"})
