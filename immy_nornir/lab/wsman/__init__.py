"""The network side of the lab's computers: WS-Management over sockets, in front of any `lab.machine`."""
