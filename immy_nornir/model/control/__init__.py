"""What steers sessions from outside: schedules, holds, limits, orders. Values only."""
