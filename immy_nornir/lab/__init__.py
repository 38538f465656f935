"""A simulated fleet that speaks real WS-Management on the loopback: everything can be tried without Windows."""

from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import ComputerSpec, Knobs, Misbehaviour, spec_from_variables

__all__ = ["ComputerSpec", "Knobs", "Lab", "Misbehaviour", "spec_from_variables"]
