"""The least that WinRM needs for one detection: a client of its own, one shell and one request a computer.

`python -m bench.floor PORT WORKERS COUNT`. It sends the operations that `immy` sends for the same fleet, keeps one
connection a computer, decodes nothing, records nothing, and looks at nothing but the end of the output.
"""

from __future__ import annotations

import asyncio
import base64
import re
import sys

from bench.world import FILES, PASSWORD, REGISTRY, SCRIPTS, SERVICES, TEST_SCRIPT, USER, address_of
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Operation, Read, ReadOperation
from immy_nornir.remote.windows import bundle, powershell

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENVELOPE = (
    '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    f'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="{SHELL}"><env:Header>'
    "<a:MessageID>uuid:00000000-0000-0000-0000-000000000001</a:MessageID>"
    "<w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize><w:OperationTimeout>PT20S</w:OperationTimeout>"
    "<w:ResourceURI>{shell_uri}/cmd</w:ResourceURI><a:Action>{action}</a:Action>{selector}</env:Header>"
    "<env:Body>{body}</env:Body></env:Envelope>"
)
OPTIONS = '<w:OptionSet><w:Option Name="WINRS_CONSOLEMODE_STDIN">FALSE</w:Option></w:OptionSet>'
NONCE = "0123456789abcdef0123456789abcdef"


def payload() -> bytes:
    """What immy asks a computer of the benchmark's fleet, in one request."""
    sections: list[Json] = ["hardware", "users", "network"]
    registry: list[Json] = [{"key": rf"HKLM\SOFTWARE\Bench\S{n:02d}", "name": "On"} for n in range(REGISTRY)]
    services: list[Json] = [f"svc{n}" for n in range(SERVICES)]
    files: list[Json] = [rf"C:\bench\{n}.cfg" for n in range(FILES)]
    operations: list[Operation] = [
        ReadOperation("identity", Read.IDENTITY),
        ReadOperation("facts", Read.FACTS, {"sections": sections}),
        ReadOperation("software", Read.SOFTWARE),
        ReadOperation("registry", Read.REGISTRY, {"values": registry}),
        ReadOperation("service", Read.SERVICE, {"names": services}),
        ReadOperation("file", Read.FILE, {"paths": files}),
    ]
    for number in range(SCRIPTS):
        params: dict[str, Json] = {"params": {}, "purpose": "test", "item": f"task/script{number}"}
        operations.append(ReadOperation(f"s{number}", Read.SCRIPT, params, TEST_SCRIPT))
    return bundle.request(operations, NONCE)


class Client:
    """One computer's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._head = (
            "POST /wsman HTTP/1.1\r\nHost: floor\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
            f"Authorization: Basic {token}\r\nContent-Length: "
        )
        self.selector = ""

    async def post(self, action: str, body: str, more: str = "") -> str:
        """One message and its answer."""
        text = ENVELOPE.format(shell_uri=SHELL, action=action, selector=self.selector + more, body=body).encode()
        self._writer.write(f"{self._head}{len(text)}\r\n\r\n".encode() + text)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        answer = await self._reader.readexactly(int(length[1]) if length else 0)
        assert head.startswith(b"HTTP/1.1 200"), (head, answer[:500])
        return answer.decode()


async def detect(address: str, port: int, line: str, stdin: str) -> None:
    """Create, Command, Send, Receive until done, Delete."""
    reader, writer = await asyncio.open_connection(address, port, limit=4_000_000)
    client = Client(reader, writer)
    streams = "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
    created = await client.post(f"{TRANSFER}/Create", f"<rsp:Shell>{streams}</rsp:Shell>")
    shell = found(r'Name="ShellId">([^<]+)<|ShellId>([^<]+)<', created)
    client.selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet>'
    body = f"<rsp:CommandLine><rsp:Command>{line}</rsp:Command></rsp:CommandLine>"
    command = found(r"CommandId>([^<]+)<", await client.post(f"{SHELL}/Command", body, OPTIONS))
    stream = f'<rsp:Stream Name="stdin" CommandId="{command}" End="true">{stdin}</rsp:Stream>'
    await client.post(f"{SHELL}/Send", f"<rsp:Send>{stream}</rsp:Send>")
    wanted = f'<rsp:Receive><rsp:DesiredStream CommandId="{command}">stdout stderr</rsp:DesiredStream></rsp:Receive>'
    while "CommandState/Done" not in await client.post(f"{SHELL}/Receive", wanted):
        pass
    await client.post(f"{TRANSFER}/Delete", "")
    writer.close()


def found(pattern: str, text: str) -> str:
    """The first group that matched."""
    match = re.search(pattern, text)
    assert match, text[:500]
    return next(one for one in match.groups() if one)


async def main(port: int, workers: int, count: int) -> None:
    """All computers, so many at a time."""
    line, stdin = powershell.command_line(), base64.b64encode(payload()).decode()
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await detect(address_of(number), port, line, stdin)

    await asyncio.gather(*(work() for _ in range(min(workers, count))))


if __name__ == "__main__":
    asyncio.run(main(*(int(one) for one in sys.argv[1:4])))
