"""A simulated fleet: specs go in, real WS-Management on the loopback comes out, and a log of what was done.

The command line, the demo and the tests call `Lab`; nothing of the client is shared with it.
"""

from immy_nornir.lab.journal import Event, read_events
from immy_nornir.lab.lab import Lab
from immy_nornir.lab.spec import ComputerSpec, Knobs, Misbehaviour, spec_from_variables
from immy_nornir.lab.wsman.trouble import Trouble

__all__ = ["ComputerSpec", "Event", "Knobs", "Lab", "Misbehaviour", "Trouble", "read_events", "spec_from_variables"]
