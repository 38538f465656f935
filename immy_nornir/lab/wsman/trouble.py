"""Troubles that a test orders of one computer: the next messages of a kind get a fault, a page, or nothing new.

A Misbehaviour is a computer's nature; a Trouble comes at one moment, and goes. Plain values and their count.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING_NEW = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    b' xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header/><s:Body>'
    b"<rsp:ReceiveResponse/></s:Body></s:Envelope>"
)
"""An answer to Receive without output and without the end of the command."""


@dataclass(slots=True)
class Trouble:
    """What the next `times` messages of one action get in place of an answer, after `spared` of them went well."""

    action: str
    """The last word of its URI: Create, Command, Send, Receive, Signal, Delete."""
    fault: int = 0
    """A fault of WS-Management with this code."""
    status: int = 0
    """An answer of HTTP alone; with `body`, if it has one."""
    body: bytes = b""
    kind: str = "text/html"
    clear: bool = False
    """The right answer, but not sealed."""
    reset: bool = False
    """The connection is reset."""
    times: int = 1
    spared: int = 0
    operation: str = ""
    """Only while the computer's last operation was this one."""
    larger_than: int = 0
    """Only messages with more bytes than this."""
    met: int = 0
    """How often it was met."""

    def meets(self, message: bytes, last_operation: str) -> bool:
        """Whether it takes this message; counts."""
        if f"/{self.action}<".encode() not in message or len(message) <= self.larger_than or self.times <= 0:
            return False
        if self.operation and self.operation != last_operation:
            return False
        if self.spared:
            self.spared -= 1
            return False
        self.times -= 1
        self.met += 1
        return True
