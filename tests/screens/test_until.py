"""Moments of the future as they are typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from immy_nornir.cli.times import read_until
from immy_nornir.errors import UsageError

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()


def local(*parts: int) -> float:
    return datetime(*parts).timestamp()  # type: ignore[arg-type]  # noqa: DTZ001 - the operator's own clock


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("90m", NOW + 5400),
        ("4h", NOW + 4 * 3600),
        (" 2 d ", NOW + 2 * 86400),
        ("1w", NOW + 7 * 86400),
        ("2027-01-02", local(2027, 1, 3)),
        ("2027-01-02T18:00", local(2027, 1, 2, 18)),
        ("2027-01-02 18:00", local(2027, 1, 2, 18)),
        ("2027-01-02T18:00+05:30", datetime(2027, 1, 2, 12, 30, tzinfo=UTC).timestamp()),
    ],
)
def test_a_moment_is_read(text: str, until: float) -> None:
    assert read_until(text, NOW) == until


def test_a_time_of_the_day_is_the_next_one() -> None:
    for hour in range(24):
        until = read_until(f"{hour}:30", NOW)
        assert NOW < until <= NOW + 86400
        assert datetime.fromtimestamp(until).hour == hour  # noqa: DTZ006


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-01", "is past"),
        ("tomorrow", "'tomorrow' is no date"),
        ("25:00", "is no date"),
        ("2027-02-30", "there is no '2027-02-30'"),
        ("", "is no date"),
        ("999999999d", "is no date"),
    ],
)
def test_what_is_no_moment_of_the_future_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_until(text, NOW)
