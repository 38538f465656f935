"""Ended sessions again: with their own arguments, as the record has them, and the files of today.

Those of one run are repeated together, by plays and waves as they are now. What a rerun narrows them by stands apart
from their arguments, so that a rerun of a rerun has those of the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immy_nornir.decide.plan.commands import COMMAND_TYPE
from immy_nornir.decide.plan.trials import TEST, type_of
from immy_nornir.errors import UsageError
from immy_nornir.model.places import Place
from immy_nornir.model.playbooks import Play
from immy_nornir.session.before.specs import Asking
from immy_nornir.session.runs import PlayRun
from immy_nornir.session.taking import taking_up

if TYPE_CHECKING:
    from immy_nornir.decide.steps.state import State
    from immy_nornir.model.playbooks import MaintenanceType
    from immy_nornir.model.record.run import RunSpec
    from immy_nornir.session.engine import Engine


@dataclass(frozen=True, slots=True)
class Again:
    """One session to be repeated."""

    state: State
    only: tuple[str, ...] = ()
    """Only these of its items; empty: as it was."""


def asking_of(run: RunSpec) -> Asking:
    """What the command line of a run added to its plays."""
    return Asking(run.options, run.items, run.vars, run.check)


def plays_again(engine: Engine, run: RunSpec, run_id: str, wanted: Sequence[Again]) -> list[PlayRun]:
    """The plays of a new run, `run_id`, with the specs of its sessions, by the files of today.

    Raises: UsageError where the playbook, a play or a type is gone, and for options that are wrong; FilesError.
    """
    plays: dict[str, dict[str, Again]] = {}
    for one in wanted:
        plays.setdefault(one.state.spec.play, {})[one.state.spec.computer] = one
    found = []
    for name, olds in plays.items():
        play, kind = _play(engine, run, name, olds)
        found.append(PlayRun(play, kind, [engine.computer(computer) for computer in olds]))
    taking_up.make_specs(engine, run_id, found, asking_of(run))
    for made, olds in zip(found, plays.values(), strict=True):
        made.specs = [
            dataclasses.replace(
                spec,
                only=olds[spec.computer].only,
                by_hand=olds[spec.computer].state.spec.by_hand,
                trial=olds[spec.computer].state.spec.trial,
                rerun_of=olds[spec.computer].state.spec.id,
            )
            for spec in made.specs
        ]
    return found


def _play(engine: Engine, run: RunSpec, name: str, olds: Mapping[str, Again]) -> tuple[Play, MaintenanceType]:
    old = next(iter(olds.values())).state.spec
    if old.by_hand is not None:
        return Play(name, "", Place("record"), COMMAND_TYPE.name), COMMAND_TYPE
    if old.trial is not None:
        return Play(name, "", Place("record"), TEST), type_of(old.trial.part)
    play = engine.play_of(run, name)
    word = old.type.name if play is None else play.maintenance
    kind = engine.fleet.types.get(word)
    if kind is None:
        raise UsageError(f"there is no maintenance type {word} any more")
    return play if play is not None else Play(name, "", Place("record"), word), kind
