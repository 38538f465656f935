"""Which computers answer on their port, asked for many at once in one thread; no protocol is spoken."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Mapping, Sequence

from immy_nornir.model.protocols import Address

SECONDS = 2.0
AT_ONCE = 200
"""Below what processes may open by default (256 on macOS), and what `select` takes on Windows (512)."""


class Probe:
    """Opens and closes TCP connections without waiting for each in turn."""

    def answering(self, addresses: Mapping[str, Address | None]) -> frozenset[str]:
        """The names of those that accept a connection within two seconds of being asked; without an address: always."""
        found = {name for name, address in addresses.items() if address is None or address.kind == "local"}
        asked = [(name, address) for name, address in addresses.items() if address is not None and name not in found]
        for start in range(0, len(asked), AT_ONCE):
            found |= self._some(asked[start : start + AT_ONCE])
        return frozenset(found)

    def _some(self, asked: Sequence[tuple[str, Address]]) -> set[str]:
        found: set[str] = set()
        selector = selectors.DefaultSelector()
        try:
            for name, address in asked:
                self._begin(selector, name, address)
            ends = time.monotonic() + SECONDS
            while selector.get_map() and (left := ends - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if self._accepted(key.fileobj):
                        found.add(key.data)
                    self._end(selector, key.fileobj)
        finally:
            for key in list(selector.get_map().values()):
                self._end(selector, key.fileobj)
            selector.close()
        return found

    @staticmethod
    def _begin(selector: selectors.BaseSelector, name: str, address: Address) -> None:
        try:
            family, kind, protocol, _, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[
                0
            ]
            one = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError):
            return  # no such name; or no more sockets: those that are silent are looked at now and then all the same
        one.setblocking(False)
        try:
            one.connect_ex(target)
            selector.register(one, selectors.EVENT_WRITE, name)
        except (OSError, OverflowError, ValueError):
            one.close()

    @staticmethod
    def _accepted(one: object) -> bool:
        return isinstance(one, socket.socket) and one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    @staticmethod
    def _end(selector: selectors.BaseSelector, one: object) -> None:
        if isinstance(one, socket.socket):
            selector.unregister(one)
            one.close()
