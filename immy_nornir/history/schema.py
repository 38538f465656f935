"""The history's tables, as migrations; the one owner of sqlite-utils.

A migration that has landed is never changed: databases of every version must open (tests/history/data holds one each).
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from immy_nornir.history.troubles import SCHEMA, check

migrations = Migrations("immy")

_FIRST = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, started_at REAL NOT NULL, ended_at REAL, command TEXT NOT NULL, playbook TEXT NOT NULL,
    fleet TEXT NOT NULL, commit_id TEXT NOT NULL, user TEXT NOT NULL, machine TEXT NOT NULL, owner TEXT NOT NULL,
    status TEXT NOT NULL, note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs(id), computer TEXT NOT NULL, tenant TEXT NOT NULL,
    type TEXT NOT NULL, play TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    stage TEXT NOT NULL DEFAULT '', waiting TEXT NOT NULL DEFAULT '', created_at REAL NOT NULL, started_at REAL, ended_at REAL,
    owner TEXT NOT NULL, epoch INTEGER NOT NULL DEFAULT 0, reboots INTEGER NOT NULL DEFAULT 0, entries INTEGER NOT NULL DEFAULT 0,
    spec BLOB NOT NULL
);
CREATE INDEX sessions_of_computer ON sessions(computer, created_at);
CREATE INDEX sessions_of_run ON sessions(run_id);
CREATE INDEX sessions_open ON sessions(status) WHERE status IN ('created', 'running', 'waiting', 'interrupted');
CREATE TABLE entries (
    session_id TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, data TEXT,
    packed BLOB, PRIMARY KEY (session_id, seq)
) WITHOUT ROWID;
CREATE TABLE actions (
    session_id TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, item TEXT NOT NULL, instance TEXT NOT NULL,
    type TEXT NOT NULL, reason TEXT NOT NULL, why TEXT NOT NULL, desired TEXT NOT NULL, found TEXT NOT NULL, version TEXT,
    deployment TEXT NOT NULL, held TEXT, planned_phase INTEGER NOT NULL, phase INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL, outcome TEXT, outcome_reason TEXT, message TEXT NOT NULL DEFAULT '', after TEXT NOT NULL DEFAULT '',
    reboot_owed INTEGER NOT NULL DEFAULT 0, began_at REAL, ended_at REAL,
    PRIMARY KEY (session_id, id)
) WITHOUT ROWID;
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, action_id TEXT NOT NULL, attempt INTEGER NOT NULL, step INTEGER NOT NULL,
    state TEXT NOT NULL, exit_code INTEGER, error TEXT NOT NULL DEFAULT '', seconds REAL, output TEXT NOT NULL DEFAULT '',
    intended_at REAL NOT NULL, ended_at REAL
) WITHOUT ROWID;
CREATE INDEX jobs_of_session ON jobs(session_id);
CREATE TABLE reboots (
    session_id TEXT NOT NULL, number INTEGER NOT NULL, why TEXT NOT NULL, intended_at REAL NOT NULL, asked_at REAL,
    ended_at REAL, outcome TEXT NOT NULL DEFAULT '', PRIMARY KEY (session_id, number)
) WITHOUT ROWID;
CREATE TABLE facts (
    computer TEXT NOT NULL, section TEXT NOT NULL, hash TEXT NOT NULL, value BLOB NOT NULL, changed_at REAL NOT NULL,
    collected_at REAL NOT NULL, PRIMARY KEY (computer, section)
) WITHOUT ROWID;
CREATE TABLE active (
    computer TEXT PRIMARY KEY, session_id TEXT NOT NULL, owner TEXT NOT NULL, epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE blobs (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
"""


_SECOND = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('history_id', lower(hex(randomblob(16))));
CREATE TABLE entries_with_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
    text TEXT NOT NULL, data TEXT, packed BLOB, UNIQUE (session_id, seq)
);
INSERT INTO entries_with_key (session_id, seq, at, kind, text, data, packed)
    SELECT session_id, seq, at, kind, text, data, packed FROM entries ORDER BY at, session_id, seq;
DROP TABLE entries;
ALTER TABLE entries_with_key RENAME TO entries;
CREATE TABLE run_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs(id), seq INTEGER NOT NULL, at REAL NOT NULL,
    kind TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (run_id, seq)
);
ALTER TABLE runs ADD COLUMN spec BLOB;
ALTER TABLE sessions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET number = CAST(substr(id, length(run_id) + 2) AS INTEGER);
ALTER TABLE sessions ADD COLUMN end_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN due_at REAL;
ALTER TABLE sessions ADD COLUMN superseded_by TEXT;
ALTER TABLE sessions ADD COLUMN play_number INTEGER;
ALTER TABLE sessions ADD COLUMN wave INTEGER;
ALTER TABLE actions ADD COLUMN definition TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN purpose TEXT NOT NULL DEFAULT 'act';
"""
"""Since then the output of jobs stands in the entries that tell of it; jobs.output holds that of older ones."""


@migrations()
def m001_first(db: Database) -> None:
    """Runs, sessions with their entries, and what is read off them."""
    _all(db, _FIRST)


@migrations()
def m002_runs_are_records(db: Database) -> None:
    """Runs have entries, entries have a key to follow them by, and ends have codes."""
    _all(db, _SECOND)


@migrations()
def m003_computers_are_accepted(db: Database) -> None:
    """What a computer was known by before an operator accepted another machine in its place."""
    _all(
        db,
        "CREATE TABLE accepted (id INTEGER PRIMARY KEY, computer TEXT NOT NULL, at REAL NOT NULL, by TEXT NOT NULL, "
        "reason TEXT NOT NULL, before TEXT NOT NULL)",
    )


@migrations()
def m004_orders(db: Database) -> None:
    """What was ordered of sessions from other shells, and what their owners said to it."""
    _all(
        db,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL, "
        "session_id TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', how TEXT NOT NULL DEFAULT '{}', "
        "state TEXT NOT NULL DEFAULT 'open', answer TEXT NOT NULL DEFAULT '', ended_at REAL);\n"
        "CREATE INDEX orders_open ON orders(session_id) WHERE state = 'open';\n"
        "CREATE INDEX orders_of_session ON orders(session_id)",
    )


@migrations()
def m005_occasions(db: Database) -> None:
    """What became of each time at which a schedule was due; the key keeps it from beginning twice."""
    _all(
        db,
        "CREATE TABLE occasions (schedule TEXT NOT NULL, part TEXT NOT NULL, due_at REAL NOT NULL, told TEXT NOT NULL, "
        "state TEXT NOT NULL, at REAL NOT NULL, run_id TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', "
        "PRIMARY KEY (schedule, part, due_at)) WITHOUT ROWID;\n"
        "CREATE INDEX occasions_of_run ON occasions(run_id) WHERE run_id <> ''",
    )


@migrations()
def m006_freezes(db: Database) -> None:
    """Computers at which nothing may be changed for a time, by whose word and why; how long items took is found."""
    _all(
        db,
        "CREATE TABLE freezes (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, pattern TEXT NOT NULL, "
        "until REAL, reason TEXT NOT NULL, lifted_at REAL, lifted_by TEXT NOT NULL DEFAULT '');\n"
        "CREATE INDEX actions_of_item ON actions(item, ended_at) WHERE began_at IS NOT NULL",
    )


@migrations()
def m007_slots_and_onboarded(db: Database) -> None:
    """Slots of limits that all processes share, and the identities of computers whose onboarding has ended."""
    _all(
        db,
        "CREATE TABLE slots (name TEXT NOT NULL, session_id TEXT NOT NULL, owner TEXT NOT NULL, computer TEXT NOT NULL, "
        "since REAL NOT NULL, seen_at REAL NOT NULL, held INTEGER NOT NULL, PRIMARY KEY (name, session_id)) WITHOUT ROWID;\n"
        "CREATE TABLE onboarded (computer TEXT NOT NULL, session_id TEXT NOT NULL, identity TEXT NOT NULL, at REAL NOT NULL, "
        "again_at REAL, again_by TEXT NOT NULL DEFAULT '', again_why TEXT NOT NULL DEFAULT '', "
        "PRIMARY KEY (computer, session_id)) WITHOUT ROWID",
    )


@migrations()
def m008_what_each_turn_asks(db: Database) -> None:
    """What the agenda and who takes sessions up ask for is found without reading every row."""
    _all(
        db,
        "CREATE INDEX occasions_due ON occasions(due_at);\n"
        "CREATE INDEX sessions_superseded ON sessions(superseded_by) WHERE superseded_by IS NOT NULL",
    )


@migrations()
def m009_sightings(db: Database) -> None:
    """Who was seen logged on, once for each computer, person and day."""
    _all(
        db,
        "CREATE TABLE sightings (computer TEXT NOT NULL, day TEXT NOT NULL, user TEXT NOT NULL COLLATE NOCASE, "
        "at REAL NOT NULL, state TEXT NOT NULL, PRIMARY KEY (computer, day, user)) WITHOUT ROWID",
    )


@migrations()
def m011_tellings(db: Database) -> None:
    """What was told to whom and what waits for it, the tickets that are open, and of which sessions that was read."""
    _all(
        db,
        "CREATE TABLE tellings (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, channel TEXT NOT NULL, key TEXT NOT NULL, "
        "event TEXT NOT NULL, run_id TEXT NOT NULL DEFAULT '', tenant TEXT NOT NULL DEFAULT '', lane TEXT NOT NULL DEFAULT '', "
        "title TEXT NOT NULL, text TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', "
        "tries INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', told_at REAL, "
        "outcome TEXT NOT NULL DEFAULT '', UNIQUE (channel, key));\n"
        "CREATE INDEX tellings_of_run ON tellings(run_id) WHERE run_id <> '';\n"
        "CREATE INDEX tellings_waiting ON tellings(channel) WHERE state = 'waiting';\n"
        "CREATE TABLE tickets (key TEXT PRIMARY KEY, tenant TEXT NOT NULL, computer TEXT NOT NULL, item TEXT NOT NULL, "
        "reason TEXT NOT NULL, opened_at REAL NOT NULL, opened_by TEXT NOT NULL, seen_at REAL NOT NULL, seen_by TEXT NOT NULL, "
        "resolved_at REAL, resolved_by TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '') WITHOUT ROWID;\n"
        "CREATE INDEX tickets_open ON tickets(computer) WHERE resolved_at IS NULL;\n"
        "CREATE TABLE told_sessions (session_id TEXT PRIMARY KEY) WITHOUT ROWID;\n"
        "CREATE INDEX sessions_ended ON sessions(ended_at) WHERE ended_at IS NOT NULL",
    )


def _all(db: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest schema; safe to repeat.

    Raises: UnfitError for another program's, or one that is newer.
    """
    check(connection)
    migrations.apply(Database(connection))
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
        connection.execute(f"PRAGMA user_version={SCHEMA}")
        connection.commit()
