"""The maintenance types as one table: which stages a session has, what it looks at, and what it may do.

Source: the four types of the feature's description and "Types x kinds of action" in the design. A fleet's own
chains (playbooks/types.yml) have the same form and are checked by `problems_of_chain`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from immy_nornir.model.items import ItemKind
from immy_nornir.model.playbooks import CHANGING, READING, ActionType, MaintenanceType, Stage

_C, _R, _I, _D, _P, _E, _V, _T = Stage
_EVERYTHING = frozenset(ItemKind)

_TABLE = (
    # name, stages, looks at, does, description
    (
        "full",
        (_C, _R, _I, _D, _P, _E, _V, _T),
        _EVERYTHING,
        CHANGING | READING,
        "checks every deployment, installs, updates, removes, configures and runs tasks",
    ),
    (
        "resolution",
        (_C, _R, _D, _P, _E, _V, _T),
        frozenset({ItemKind.SOFTWARE}),
        frozenset({ActionType.INSTALL, ActionType.UPDATE}),
        "installs missing and updates outdated software with its prerequisites; lists the rest as left for full",
    ),
    (
        "detection",
        (_C, _R, _I, _D, _P, _T),
        _EVERYTHING,
        READING,
        "finds the state of every deployment and refreshes the facts; changes nothing",
    ),
    ("inventory", (_C, _I, _T), frozenset[ItemKind](), frozenset[ActionType](), "refreshes the facts; changes nothing"),
)

BUILT_IN_TYPES: Mapping[str, MaintenanceType] = {
    name: MaintenanceType(name, stages, looks_at, does, description)
    for name, stages, looks_at, does, description in _TABLE
}

# What a stage cannot do without.
_NEEDS: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.RESOLVE: (Stage.CONNECT,),
    Stage.INVENTORY: (Stage.CONNECT,),
    Stage.DETECT: (Stage.RESOLVE,),
    Stage.PLAN: (Stage.DETECT,),
    Stage.EXECUTE: (Stage.PLAN,),
    Stage.VERIFY: (Stage.EXECUTE,),
}


def problems_of_chain(stages: tuple[Stage, ...]) -> list[str]:
    """What is wrong with a chain of stages, as sentences; empty when it can run."""
    found: list[str] = []
    if not stages or stages[0] is not Stage.CONNECT:
        found.append("a chain begins with 'connect': nothing is known of a computer before")
    order = list(Stage)
    for earlier, later in itertools.pairwise(stages):
        if order.index(later) <= order.index(earlier):
            found.append(f"'{later}' cannot come after '{earlier}'; the order is {', '.join(order)}")
    for stage in stages:
        found.extend(f"'{stage}' needs '{need}' before it" for need in _NEEDS.get(stage, ()) if need not in stages)
    if Stage.EXECUTE in stages and Stage.VERIFY not in stages:
        found.append("'execute' needs 'verify' after it: what was done is judged by detecting again")
    return found
