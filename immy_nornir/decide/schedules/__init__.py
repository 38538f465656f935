"""Schedules -> the times at which they are due, by the clocks of their zones; pure, the time is given.

A rule says wall clock times (`rules`, made by `cron`, `words` and `recurrence`), `due` makes instants of them.
"""

from immy_nornir.decide.schedules.due import Member as Member
from immy_nornir.decide.schedules.due import next_occasion as next_occasion
from immy_nornir.decide.schedules.due import occasions as occasions
from immy_nornir.decide.schedules.due import parts_of as parts_of
from immy_nornir.decide.schedules.rules import rule_of as rule_of
