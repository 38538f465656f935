"""`playbooks/telling.yml` -> the fleet's channels: who is told what. What needs the inventory: `checks.telling`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from immy_nornir.decide.times.time_zones import zone_of
from immy_nornir.decide.times.windows import weekly
from immy_nornir.fleet.schedules import ONE_LINE, CheckedText
from immy_nornir.model.control.telling import OF_COMPUTERS, SECONDS, Audience, Channel, Digest, EventKind
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.shapes.files import Source
from immy_nornir.shapes.forms import ANY, Built, Form, Key, ListOf, MapOf, Record
from immy_nornir.shapes.scalars import DURATION, TEXT, Choice, Schema, Unreadable
from immy_nornir.text.references import SCHEMES, NoReferenceError, reference_of
from immy_nornir.text.yaml import Node

LONGEST_SECONDS = 300


@dataclass(frozen=True, slots=True)
class _Secret:
    """A reference to a secret, also without the word `secret:` before it; never the secret itself."""

    wants: str = "a reference to a secret, such as {secret: env:NAME}"

    def read(self, node: Node, source: Source) -> SecretRef:
        value: Value = ANY.read(node, source)
        if isinstance(value, SecretRef):
            return value
        try:
            return SecretRef(reference_of(value), source.place(node))
        except NoReferenceError as error:
            # The text is not shown: an address with its token is a secret itself.
            source.error(node, f"what stands here {error}; a secret never stands in a file in clear", SCHEMES)
            raise Unreadable from None

    def schema(self) -> Schema:
        referred: Schema = {"type": "string", "pattern": r"^(?:env|file|command):\s*\S"}
        return {"anyOf": [referred, {"type": "object"}]}


@dataclass(frozen=True, slots=True)
class _To:
    """How a channel is reached."""

    apprise: SecretRef | None = None
    command: tuple[str, ...] = ()
    seconds: float = SECONDS
    environment: Mapping[str, SecretRef] | None = None


_HOURS = CheckedText("days and hours such as 'daily 22:00-07:00'", weekly, r"\d:\d")
_ZONE = CheckedText("a time zone such as Europe/Berlin", zone_of)

APPRISE = Key("apprise", _Secret(), "Where its apprise URL is (mail, Teams, Slack, webhooks): a secret.")
COMMAND = Key(
    "command", ListOf(TEXT, filled=True), "A program and its arguments; it gets the message as JSON on stdin."
)
TIMEOUT = Key("timeout", DURATION, f"How long it may take for one message; {SECONDS:.0f}s if not said.")
ENV = Key("env", MapOf(_Secret(), r"[A-Za-z_][A-Za-z0-9_]*"), "Secrets for the command, by variables of its own.")

NAME = Key("name", ONE_LINE, "What it is called; what was told is known by it.", required=True)
EVENTS = Key("events", ListOf(Choice(EventKind), single=True, filled=True), "What it is told; run_ended if not said.")
TENANTS = Key(
    "tenants",
    ListOf(TEXT, single=True, filled=True),
    "Tenants (globs): each is told apart, and nothing of others or of the operator. Not said: all, in one message.",
)
FOR = Key("for", Choice(Audience), "In whose words; customer needs 'tenants'. operator if not said.")
DIGEST = Key("digest", Choice(Digest), "run (if not said): one message for a run and tenant; none: one for each event.")
QUIET = Key("quiet", _HOURS, "Days and hours in which nothing is sent, such as 'daily 22:00-07:00'; it comes after.")
ZONE = Key("zone", _ZONE, "By which clock the quiet hours are.")


def _to(record: Record) -> _To:
    if record.has(APPRISE) == record.has(COMMAND):
        what = "both 'apprise' and 'command' are said" if record.has(APPRISE) else "nothing says how it is reached"
        record.error(None, what, "write 'apprise: {secret: env:NAME}' or 'command: [PROGRAM, ARGUMENT]'")
        raise Unreadable
    if record.has(ENV) and record.has(APPRISE):
        record.error(ENV, "'env' goes with 'command'", "remove it; the URL has all that apprise needs")
    apprise, command = record.get(APPRISE), record.take(COMMAND, ())
    if apprise is None and not command:
        raise Unreadable
    seconds = record.take(TIMEOUT, int(SECONDS))
    if seconds > LONGEST_SECONDS:
        record.error(TIMEOUT, f"'timeout' is longer than {LONGEST_SECONDS // 60} minutes", "a run waits so long")
    return _To(apprise, command, float(seconds), record.get(ENV))


TO = Key(
    "to",
    Built(Form("how a channel is reached", (APPRISE, COMMAND, TIMEOUT, ENV)), _to),
    "How it is reached: by apprise, or by a command.",
    required=True,
)
_KEYS: tuple[Key[object], ...] = (NAME, TO, EVENTS, TENANTS, FOR, DIGEST, QUIET, ZONE)


def _channel(record: Record) -> Channel:
    _judge(record)
    name, to = record.get(NAME), record.get(TO)
    if name is None or to is None:
        raise Unreadable
    return Channel(
        name,
        record.place(),
        frozenset(record.take(EVENTS, (EventKind.RUN_ENDED,))),
        to.apprise,
        to.command,
        to.environment or {},
        to.seconds,
        record.take(TENANTS, ()),
        record.take(FOR, Audience.OPERATOR),
        record.take(DIGEST, Digest.RUN),
        record.take(QUIET, ""),
        record.take(ZONE, ""),
        {key: record.source.place(node) for key, node in record.nodes.items()},
    )


def _judge(record: Record) -> None:
    """What contradicts itself."""
    if record.get(FOR) is Audience.CUSTOMER:
        if not record.has(TENANTS):
            record.error(FOR, "a channel for a customer says which", "add 'tenants: NAME'")
        inner = [one for one in record.take(EVENTS, ()) if one not in OF_COMPUTERS]
        if inner:
            told = ", ".join(sorted(inner))
            advice = f"a customer is told {', '.join(one for one in EventKind if one in OF_COMPUTERS)}"
            record.error(EVENTS, f"{told}: of the operator's own work, which no customer is told", advice)
    if record.has(QUIET) and not record.has(ZONE):
        record.error(QUIET, "nothing says by which clock the quiet hours are", "add 'zone: Europe/Berlin'")


CHANNELS = ListOf(Built(Form("a channel", _KEYS), _channel))


def read_channels(node: Node, source: Source) -> tuple[Channel, ...]:
    """All readable channels of the file, in its order; of two with one name the first."""
    try:
        read = CHANNELS.read(node, source)
    except Unreadable:
        return ()
    found: dict[str, Channel] = {}
    for one in read:
        first = found.setdefault(one.name, one)
        if first is not one:
            place = one.places.get("name", one.place)
            source.error(place, f"the channel '{one.name}' stands twice", f"the first is at {first.place}")
    return tuple(found.values())
