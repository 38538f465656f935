"""WS-Management envelopes: requests are read with ElementTree, replies are string templates.

Stateless; it knows how Windows words its replies and faults, and nothing of shells.
"""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
CMD_RESOURCE = f"{SHELL}/cmd"

OPERATION_TIMEOUT = 2150858793
SHELL_NOT_FOUND = 2150858843
SHELL_QUOTA = 2150859173
PROCESS_QUOTA = 2150859174
ACCESS_DENIED = 5
RESOURCE_NOT_FOUND = 2150858752
ACTION_NOT_SUPPORTED = 2150858753


class SoapError(Exception):
    """A request that cannot be read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the header's fields that matter, and the body's only child."""

    action: str
    message_id: str
    resource: str
    shell_id: str
    operation_timeout: float
    max_envelope: int
    options: dict[str, str]
    body: ElementTree.Element | None

    def find(self, name: str) -> ElementTree.Element | None:
        """The first element of the body with this local name."""
        if self.body is None:
            return None
        return next((one for one in self.body.iter() if local(one.tag) == name), None)

    def find_all(self, name: str) -> list[ElementTree.Element]:
        """All elements of the body with this local name."""
        return [] if self.body is None else [one for one in self.body.iter() if local(one.tag) == name]


def local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$")


def seconds_of(duration: str, default: float) -> float:
    """Seconds of an ISO 8601 duration such as PT20S; the default where it is none."""
    found = _DURATION.match(duration.strip())
    if not found or not any(found.groups()):
        return default
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def read_request(text: bytes) -> Request:
    """Read an envelope; raises SoapError."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - only clients on this machine's loopback are heard
    except ElementTree.ParseError as error:
        raise SoapError(str(error)) from None
    fields: dict[str, str] = {}
    options: dict[str, str] = {}
    body: ElementTree.Element | None = None
    for part in root:
        name = local(part.tag)
        if name == "Body":
            body = next(iter(part), None)
        elif name == "Header":
            for one in part.iter():
                key = local(one.tag)
                if key == "Selector" and one.get("Name") == "ShellId":
                    fields["ShellId"] = (one.text or "").strip()
                elif key == "Option":
                    options[one.get("Name", "")] = one.text or ""
                elif one.text:
                    fields.setdefault(key, one.text.strip())
    if local(root.tag) != "Envelope":
        raise SoapError(f"the root is {local(root.tag)}, not Envelope")
    action = fields.get("Action", "")
    if not action and body is not None and local(body.tag) == "Identify":
        action = "Identify"
    envelope = fields.get("MaxEnvelopeSize", "")
    return Request(
        action,
        fields.get("MessageID", ""),
        fields.get("ResourceURI", ""),
        fields.get("ShellId", ""),
        seconds_of(fields.get("OperationTimeout", ""), 60.0),
        int(envelope) if envelope.isdigit() else 153600,
        options,
        body,
    )


_ENVELOPE = (
    '<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"'
    ' xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"'
    ' xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header>'
    "<a:Action>%s</a:Action><a:MessageID>uuid:%s</a:MessageID>"
    "<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>"
    "<a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body>%s</s:Body></s:Envelope>"
)


def reply(request: Request, action: str, body: str) -> bytes:
    """A reply's envelope around a body that is XML already."""
    return (_ENVELOPE % (action, str(uuid.uuid4()).upper(), escape(request.message_id), body)).encode()


def created(request: Request, shell_id: str, owner: str, address: str, idle_timeout: float) -> bytes:
    """The reply to Create."""
    body = (
        f"<x:ResourceCreated><a:Address>http://{address}/wsman</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{CMD_RESOURCE}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        "</a:ReferenceParameters></x:ResourceCreated>"
        f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{CMD_RESOURCE}</rsp:ResourceUri>"
        f"<rsp:Owner>{escape(owner)}</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
        f"<rsp:IdleTimeOut>PT{idle_timeout:.3f}S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>"
        "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams><rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime>"
        "<rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>"
    )
    return reply(request, f"{TRANSFER}/CreateResponse", body)


def received(request: Request, command_id: str, streams: list[tuple[str, bytes]], exit_code: int | None) -> bytes:
    """The reply to Receive; with an exit code the command is done and its streams end."""
    parts = [
        f'<rsp:Stream Name="{name}" CommandId="{command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'
        for name, data in streams
    ]
    if exit_code is None:
        state = f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/Running"/>'
    else:
        parts += [
            f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"></rsp:Stream>'
            for name in ("stdout", "stderr")
        ]
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/Done">'
            f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    body = f"<rsp:ReceiveResponse>{''.join(parts)}{state}</rsp:ReceiveResponse>"
    return reply(request, f"{SHELL}/ReceiveResponse", body)


IDENTIFIED = (
    b'<s:Envelope xml:lang="" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
    b'<wsmid:IdentifyResponse xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    b"<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
    b"<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
    b"<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
    b"</wsmid:IdentifyResponse></s:Body></s:Envelope>"
)


_FAULT = (
    "<s:Fault><s:Code><s:Value>s:%s</s:Value><s:Subcode><s:Value>%s</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en-US">%s</s:Text></s:Reason>'
    '<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"'
    ' Code="%d" Machine="%s"><f:Message>%s</f:Message></f:WSManFault></s:Detail></s:Fault>'
)


def fault(message_id: str, code: int, subcode: str, text: str, machine: str) -> bytes:
    """A fault as Windows words it; it travels with HTTP status 500."""
    text = escape(text)
    side = "Receiver" if code == OPERATION_TIMEOUT else "Sender"
    body = _FAULT % (side, subcode, text, code, escape(machine), text)
    action = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
    return (_ENVELOPE % (action, str(uuid.uuid4()).upper(), escape(message_id), body)).encode()
