"""Whether work fits into its window by what took how long before; what nobody knows stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from immy_nornir.decide.plan.outlook import Estimate, by_actions, by_sessions, lasting, outlook
from immy_nornir.decide.times.windows import parse_business_hours
from immy_nornir.model.control.holds import Hold, HoldKind

OFFICE = parse_business_hours("mon-fri 08:00-18:00")
NOW = datetime(2030, 1, 7, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


def test_a_hold_of_another_year_is_no_end() -> None:
    far = Hold(HoldKind.BLACKOUT, "x", NOW + 70 * 365 * 24 * HOUR, NOW + 71 * 365 * 24 * HOUR)
    found = outlook(by_sessions([60.0] * 5), "now", OFFICE, "UTC", NOW, (far,))
    assert found is not None
    assert "is open for" not in found.text


@pytest.mark.parametrize(
    ("minutes", "window", "said", "fits"),
    [
        (45, "mon 12:00-12:30", "window mon 12:00-12:30 is open for 30 min: it may not fit", False),
        (45, "mon 13:00-14:00", "window mon 13:00-14:00 is open for 60 min", True),
        (
            45,
            "mon 11:00-12:40",
            "window mon 11:00-12:40 is open for 40 min: it may not fit",
            False,
        ),  # what is left of it
        (45, "after_hours", "window after_hours is open for 14 h", True),
        (45, "2030-01-09T01:00/PT30M", "is open for 30 min: it may not fit", False),
        (45, "now", "about 45 min by its last 5 sessions", True),
        (3000, "22:00", "about 2.1 days by its last 5 sessions; window 22:00 is open for 8 h: it may not fit", False),
    ],
)
def test_an_estimate_is_held_beside_the_window(minutes: float, window: str, said: str, fits: bool) -> None:
    found = outlook(by_sessions([minutes * 60.0] * 5), window, OFFICE, "UTC", NOW, ())
    assert found is not None
    assert found.text.endswith(said)
    assert found.fits is fits


def test_a_blackout_makes_a_window_shorter() -> None:
    kept = [
        Hold(HoldKind.BLACKOUT, "x", NOW - HOUR, NOW + HOUR),
        Hold(HoldKind.BLACKOUT, "y", NOW + 2 * HOUR, NOW + 9 * HOUR),
    ]
    found = outlook(Estimate(90 * 60.0, "by it"), "mon 12:00-18:00", None, "UTC", NOW, kept)
    assert found is not None
    assert "is open for 60 min: it may not fit" in found.text


def test_of_durations_the_median_counts_and_what_was_never_timed_is_said() -> None:
    assert by_sessions([]) is None
    assert by_sessions([60.0, 9999.0, 120.0]) == Estimate(120.0, "by its last 3 sessions")
    assert by_sessions([60.0]) == Estimate(60.0, "by its last session")
    known = {"software/a": [60.0, 100.0, 80.0], "software/b": []}
    assert by_actions(["software/b"], known) is None
    found = by_actions(["software/a", "software/b", "software/c"], known)
    assert found == Estimate(80.0, "by what such actions took before, and 2 actions of which nobody knows it")
    assert outlook(None, "22:00", None, "UTC", NOW, ()) is None


def test_lengths_of_time_are_told_as_people_plan() -> None:
    lengths = [lasting(one) for one in (0, 40, 90, 5940, 7200, 9000, 200000)]
    assert lengths == ["less than a minute", "1 min", "2 min", "99 min", "2 h", "2.5 h", "2.3 days"]
