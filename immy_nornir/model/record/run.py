"""A run's record: what was asked, and the entries that its state is folded from. Values only.

A run is the sessions that one command started together, in plays and waves. `decide.runs` folds the entries and says
which wave is next; `history` keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.model.values import Value


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run goes."""

    workers: int = 32
    per_tenant: int = 0
    """At most so many of one tenant at the same time; 0: no limit."""
    splay: float = 0.0
    """Starts are spread over so many seconds."""
    wait: bool = False
    """Stay until deferred sessions have ended."""


@dataclass(frozen=True, slots=True)
class Brakes:
    """Figures that a run must not pass; None: no limit."""

    max_changes: int | None = None
    max_reboots: int | None = None


@dataclass(frozen=True, slots=True)
class PlaySpec:
    """One play of a run, with its sessions in waves."""

    name: str
    waves: tuple[tuple[str, ...], ...]
    """Ids of sessions; one that was taken up again may be of an earlier run."""
    max_fail_percentage: float = 100.0


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What one command was asked to do; never changes after the run has begun."""

    id: str
    command: str
    playbook: str = ""
    fleet: str = ""
    commit: str = ""
    user: str = ""
    machine: str = ""
    plays: tuple[PlaySpec, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the command line."""
    items: tuple[str, ...] = ()
    vars: Mapping[str, Value] = field(default_factory=dict)
    """Variables of the command line."""
    check: bool = False
    pace: Pace = field(default_factory=Pace)
    brakes: Brakes = field(default_factory=Brakes)
    onboard: bool = False
    """Computers are onboarded, whatever their variables say and whatever has passed before."""
    rerun_of: str = ""
    """The run whose sessions it repeats, with that one's own arguments."""
    reason: str = ""
    """Why, where somebody said it."""

    @property
    def sessions(self) -> list[str]:
        """Ids of the sessions of all its waves, in their order."""
        return [one for play in self.plays for wave in play.waves for one in wave]


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody said that the run may change so much."""

    by: str
    """`the operator`, `--yes`, or `nobody` where nothing was to be changed."""
    changes: int = 0
    reboots: int = 0


@dataclass(frozen=True, slots=True)
class RunTakenUp:
    """Another process goes on with the run."""

    owner: str


@dataclass(frozen=True, slots=True)
class WaveBegan:
    """The sessions of a wave may begin; both numbers count from 0."""

    play: int
    wave: int


@dataclass(frozen=True, slots=True)
class WaveEnded:
    """Nothing holds the following waves any more."""

    play: int
    wave: int
    settled: int
    """Sessions that have ended and tell something: those of computers that were off, busy or excluded do not."""
    bad: int
    """Those of them that failed."""
    seconds: float = 0.0
    """The running time of its longest session."""


@dataclass(frozen=True, slots=True)
class RunHalted:
    """No further wave begins: of the play, or of the whole run where `play` is None."""

    play: int | None
    why: str


@dataclass(frozen=True, slots=True)
class RunLeft:
    """A process left the run before its end; it can be taken up again."""

    why: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run's end: every wave has begun or was halted."""

    message: str = ""


RunEntry = Approved | RunTakenUp | WaveBegan | WaveEnded | RunHalted | RunLeft | RunEnded


@dataclass(frozen=True, slots=True)
class RunStamped:
    """An entry with its number in the run and its time (seconds since 1970)."""

    seq: int
    at: float
    entry: RunEntry
