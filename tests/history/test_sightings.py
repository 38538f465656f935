"""Sightings in the history: one row for each computer, person and day, made from what computers tell."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from immy_nornir.decide.steps.state import State, fold
from immy_nornir.history.queries import Reader
from immy_nornir.history.schema import migrate
from immy_nornir.history.store import FILE, History
from immy_nornir.model.facts import Logon, LogonState, Sighting
from immy_nornir.model.record.entries import (
    Connected,
    ContactBack,
    Entry,
    RebootEnded,
    RebootIntended,
    Resumed,
    Stamped,
)
from immy_nornir.model.record.question_entries import UsersLooked
from immy_nornir.model.record.run import RunSpec
from immy_nornir.model.record.session import SessionSpec
from tests.history import sample

ACTIVE, LOCKED, GONE = LogonState.ACTIVE, LogonState.LOCKED, LogonState.DISCONNECTED
ANN, BOB = "CORP\\ann", "CORP\\bob"


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def there(*logons: Logon, zone: str = "Pacific/Auckland") -> Connected:
    system = {**sample.IDENTITY.system, "time_zone": zone}
    return Connected(replace(sample.IDENTITY, users=tuple(one.name for one in logons), logons=logons, system=system))


def record(folder: Path, *entries: tuple[float, Entry]) -> tuple[Sighting, ...]:
    history = History(folder, sample.StillClock())
    spec = SessionSpec("run-1", "run", "pc")
    history.begin_run(RunSpec("run", "immy run"), [spec])
    state = State(spec)
    for number, (when, entry) in enumerate([(entries[0][0], Resumed("me", 1)), *entries], 1):
        stamped = Stamped(number, when, entry)
        state = fold(state, stamped)
        history.append(state, stamped)
    history.close()
    with Reader(folder / FILE) as reader:
        assert reader.facts("another").sightings == ()
        return reader.facts("pc").sightings


def test_one_row_for_each_person_and_day_of_the_computer_in_the_best_state(tmp_path: Path) -> None:
    night, morning, day = (at(f"2026-03-{one}", "Pacific/Auckland") for one in ("02T23:50", "03T00:10", "03T12:30"))
    first = there(Logon(ANN, LOCKED), Logon("ssh", ACTIVE, desktop=False))
    back = ContactBack(there(Logon("corp\\Ann", GONE), Logon(BOB, GONE)).identity)
    found = record(
        tmp_path,
        (night, first),
        (morning, back),
        (day, UsersLooked((Logon(ANN, ACTIVE),))),
        (day + 5, RebootIntended(1, "updates", sample.IDENTITY.boot)),
        (day + 60, RebootEnded(1, there(Logon(BOB, LOCKED)).identity)),
    )
    assert found == (
        Sighting(BOB, "2026-03-03", day + 60, LOCKED),
        Sighting(ANN, "2026-03-03", day, ACTIVE),
        Sighting(ANN, "2026-03-02", night, LOCKED),
    )


def test_a_computer_whose_zone_nobody_knows_has_days_of_utc(tmp_path: Path) -> None:
    late = at("2026-03-02T23:50", "UTC")
    found = record(tmp_path, (late, there(Logon(ANN), zone="Nowhere/Land")))
    assert [one.day for one in found] == ["2026-03-02"]


def test_a_history_of_before_learns_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes((Path(__file__).parent / "data" / "v8.db").read_bytes())
    connection = sqlite3.connect(path)
    computers = {one for (one,) in connection.execute("SELECT DISTINCT computer FROM facts")}
    connection.close()
    with Reader(path) as reader:
        assert all(reader.facts(one).sightings == () for one in computers)
    connection = sqlite3.connect(path)
    migrate(connection)
    assert connection.execute("SELECT count(*) FROM sightings").fetchone() == (0,)
    connection.close()
