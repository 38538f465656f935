"""Which wave of a run is next, as tables; and runs that are left and taken up anywhere come to the same end."""

from __future__ import annotations

import random

import pytest

from immy_nornir.decide.runs.next_wave import Begin, End, Standing, Write, never_begun, next_wave, waves_of
from immy_nornir.decide.runs.run_state import RunState, fold_run, fold_run_all
from immy_nornir.model.record.run import (
    Approved,
    PlaySpec,
    RunEnded,
    RunEntry,
    RunHalted,
    RunLeft,
    RunSpec,
    RunStamped,
    RunTakenUp,
    WaveBegan,
    WaveEnded,
)

WAITING = Standing.WAITING
FINE, FAILED, MISSED, LEFT, PENDING, UNKNOWN, DENIED = (
    Standing.FINE,
    Standing.FAILED,
    Standing.MISSED,
    Standing.LEFT,
    Standing.PENDING,
    Standing.UNKNOWN,
    Standing.DENIED,
)


def run(*plays: tuple[tuple[str, ...], ...], most: float = 100.0) -> RunState:
    return RunState(RunSpec("r", "immy run", plays=tuple(PlaySpec("p", waves, most) for waves in plays)))


def play(state: RunState, ends: dict[str, Standing], bound: int = 100) -> tuple[list[tuple[str, ...]], RunState]:
    """What began together, in order, when every session ends as it is told (else well)."""
    standings = {one: PENDING for each in state.spec.plays for wave in each.waves for one in wave}
    begun: list[tuple[str, ...]] = []
    for number in range(bound):
        match next_wave(state, standings.__getitem__):
            case Write(entries):
                for entry in entries:
                    state = fold_run(state, RunStamped(number + 1, 0.0, entry))
            case Begin(_, sessions):
                begun.append(sessions)
                standings |= {one: ends.get(one, FINE) for one in sessions}
            case End():
                return begun, state
    raise AssertionError("no end")


@pytest.mark.parametrize(
    ("plays", "most", "ends", "begun", "why"),
    [
        ([(("a", "b"), ("c",))], 100, {}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 49, {"a": FAILED}, [("a", "b")], "1 of 2 computers of a wave failed: more than"),
        ([(("a", "b"), ("c",))], 50, {"a": FAILED}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 0, {"a": MISSED}, [("a", "b"), ("c",)], ""),
        ([(("a", "b", "d"), ("c",))], 49, {"a": MISSED, "b": FAILED}, [("a", "b", "d")], "1 of 2 computers"),
        ([(("a", "b"), ("c",))], 0, {"a": MISSED, "b": MISSED}, [("a", "b"), ("c",)], ""),
        ([(("a",), ("b",))], 100, {"a": MISSED}, [("a",), ("b",)], ""),
        (
            [(("a",), ("b",)), (("c",),)],
            100,
            {"a": FAILED},
            [("a",), ("c",)],
            "1 of 1 computer of a wave",
        ),
        ([(("a",), ("b",)), (("c",),)], 0, {"a": FAILED}, [("a",)], "more than max_fail_percentage 0"),
        ([(("a", "b"), ("c",))], 0, {"a": LEFT, "b": LEFT}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 100, {"a": FAILED, "b": LEFT}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 100, {"a": FAILED, "b": MISSED}, [("a", "b")], "1 of 1 computer of a wave failed (1"),
        ([(("a", "b"), ("c",))], 100, {"a": LEFT, "b": MISSED}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 0, {"a": UNKNOWN, "b": UNKNOWN}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 100, {"a": FAILED, "b": UNKNOWN}, [("a", "b"), ("c",)], ""),
        ([(("a", "b"), ("c",))], 50, {"a": FAILED, "b": UNKNOWN}, [("a", "b")], "1 of 1 computer of a wave"),
        ([(("a", "b"), ("c",))], 100, {"a": WAITING, "b": FINE}, [("a", "b")], ""),
        ([(("a",), ("b",)), (("c",),)], 100, {"a": WAITING}, [("a",), ("c",)], ""),
        ([(("a", "b"), ("c",))], 100, {"a": FINE, "b": WAITING, "c": WAITING}, [("a", "b")], ""),
        ([(("a", "b"), ("c",)), (("d",),)], 100, {"b": DENIED}, [("a", "b")], "1 computer of a wave: not approved"),
        ([()], 100, {}, [], ""),
    ],
    ids=[
        "one wave after the other",
        "more failures than the play allows end the run",
        "as many as it allows do not",
        "a computer that is off is no failure of its wave",
        "a computer that is off is not among those that failures are a percentage of",
        "a wave in which nobody could be reached says nothing",
        "a computer that is off says nothing about what was done to the others",
        "a wave that fails as a whole is the last of its play, not of the run",
        "too many failures end later plays too",
        "who waits for a window or is off and deferred is neither good nor bad",
        "a wave of which some are left did not fail as a whole",
        "a wave that failed wherever anything was done failed as a whole",
        "left and missed together are no failure",
        "what is not known is no failure",
        "a wave of which something is not known did not fail as a whole",
        "what is not known is no success either",
        "who waits for a window holds the waves that follow",
        "but no other play",
        "however the others stand",
        "a no is one to everything that would follow",
        "a play without computers",
    ],
)
def test_waves(
    plays: list[tuple[tuple[str, ...], ...]],
    most: float,
    ends: dict[str, Standing],
    begun: list[tuple[str, ...]],
    why: str,
) -> None:
    did, state = play(run(*plays, most=most), ends)
    assert did == begun
    reasons = " ".join(state.halted.values())
    assert why in reasons
    assert bool(why) == bool(reasons)


def test_a_wave_that_was_left_in_the_middle_goes_on_before_the_next_begins() -> None:
    state = fold_run(run((("a", "b"), ("c",))), RunStamped(1, 0.0, WaveBegan(0, 0)))
    assert next_wave(state, {"a": FINE, "b": PENDING, "c": PENDING}.__getitem__) == Begin(0, ("b",))
    assert next_wave(state, {"a": FINE, "b": LEFT, "c": PENDING}.__getitem__) == Write((WaveEnded(0, 0, 1, 0),))


def test_a_halt_is_written_before_the_end_of_the_wave_that_it_follows_from() -> None:
    """Killed between the two, the next process halts again rather than going on."""
    state = fold_run(run((("a",), ("b",)), most=0), RunStamped(1, 0.0, WaveBegan(0, 0)))
    stands = {"a": FAILED, "b": PENDING}
    step = next_wave(state, stands.__getitem__)
    assert isinstance(step, Write)
    assert [type(one) for one in step.entries] == [RunHalted, WaveEnded]
    killed = fold_run(state, RunStamped(2, 0.0, step.entries[0]))
    _, after = play(killed, {"a": FAILED})
    assert after.began == {0: 1}


def test_a_run_that_is_taken_up_remembers_what_halted_it() -> None:
    entries: list[RunEntry] = [
        Approved("--yes", 3, 1),
        WaveBegan(0, 0),
        WaveEnded(0, 0, 1, 1),
        RunHalted(0, "too bad"),
        RunLeft("stopped by the operator"),
        RunTakenUp("another"),
    ]
    spec = run((("a",), ("b",)), (("c",),)).spec
    state = fold_run_all(spec, [RunStamped(number, 0.0, one) for number, one in enumerate(entries, 1)])
    assert (state.approved, state.left, state.finished) == (Approved("--yes", 3, 1), "", None)
    assert next_wave(state, {"b": PENDING, "c": PENDING}.__getitem__) == Write((WaveBegan(1, 0),))
    assert never_begun(state) == {"b": "too bad", "c": ""}
    assert fold_run(state, RunStamped(7, 0.0, RunEnded("done"))).finished == RunEnded("done")


def test_a_run_that_is_left_anywhere_begins_the_same_waves_as_one_that_is_not() -> None:
    dice = random.Random(8)  # noqa: S311 - repeatable runs
    for _ in range(200):
        names = [f"s{number}" for number in range(dice.randint(1, 9))]
        waves = tuple(waves_of(names, [str(dice.randint(1, 3))]))
        ends = {one: dice.choice(list(Standing)) for one in names}
        ends = {one: FINE if end is PENDING else end for one, end in ends.items()}
        straight, _ = play(run(waves, most=dice.choice([0.0, 50.0, 100.0])), ends)
        state, standings, begun = run(waves, most=100.0), dict.fromkeys(names, PENDING), list[str]()
        state = RunState(RunSpec("r", "", plays=(PlaySpec("p", waves, 100.0),)))
        for number in range(500):
            step = next_wave(state, standings.__getitem__)
            if isinstance(step, End):
                break
            if isinstance(step, Write):
                for entry in step.entries:
                    state = fold_run(state, RunStamped(number + 1, 0.0, entry))
            else:
                # Killed after some of the wave: the next process sees only what was recorded.
                done = dice.sample(step.sessions, dice.randint(1, len(step.sessions)))
                begun += [one for one in step.sessions if one in done]
                standings |= {one: ends[one] for one in done}
        whole, _ = play(run(waves), ends)
        assert sorted(begun) == sorted(one for wave in whole for one in wave)
        assert len(straight) <= len(whole)


@pytest.mark.parametrize(
    ("serial", "sizes"),
    [((), [7]), (("2",), [2, 2, 2, 1]), (("1", "50%"), [1, 3, 3]), (("1%",), [1] * 7), (("1", "2", "100%"), [1, 2, 4])],
)
def test_sizes_of_waves(serial: tuple[str, ...], sizes: list[int]) -> None:
    names = [f"pc{number}" for number in range(7)]
    waves = list(waves_of(names, serial))
    assert [len(wave) for wave in waves] == sizes
    assert [one for wave in waves for one in wave] == names
