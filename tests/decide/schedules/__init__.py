"""Tests of the times at which schedules are due."""
