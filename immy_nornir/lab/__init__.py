"""A simulated fleet that speaks real WS-Management on the loopback: everything can be tried without Windows."""

from immy_nornir.lab.journal import Event, read_events
from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import ComputerSpec, Knobs, Misbehaviour, spec_from_variables

__all__ = ["ComputerSpec", "Event", "Knobs", "Lab", "Misbehaviour", "read_events", "spec_from_variables"]
