"""`playbooks/*.yml` -> playbooks, and the options that plays and the variable `immy_options` may hold.

Not here: merging options of several levels, and which computers a play reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from immy_nornir.decide.times import windows
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.deployments import PATTERN, joined
from immy_nornir.model.inventory import Sourced
from immy_nornir.model.places import Place
from immy_nornir.model.playbooks import (
    Absent,
    Offline,
    OnFailure,
    Otherwise,
    Play,
    Playbook,
    Preflight,
    Reboot,
    UserContext,
    WindowOver,
)
from immy_nornir.shapes.files import Source
from immy_nornir.shapes.forms import AnyValue, Built, Form, Key, ListOf, MapOf, Record, WithPlace
from immy_nornir.shapes.scalars import FLAG, TEXT, Choice, Number, Schema, Text, Unreadable, refuse
from immy_nornir.text.yaml import INT, STR, Node, ScalarNode, SequenceNode

# --- options ------------------------------------------------------------------------------------------------------

_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d"
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?"
_LASTS = r"P(?=\d|T\d)(?:\d{1,4}W)?(?:\d{1,4}D)?(?:T(?=\d)(?:\d{1,5}H)?(?:\d{1,6}M)?(?:\d{1,7}S)?)?"
_WEEK = r"[^/]*\d{1,2}:\d\d\s*(?:-|\u2013|to)\s*\d{1,2}:\d\d[^/]*"
_WINDOW = Text(
    'now, after_hours, a time in quotes such as "22:30", days and hours such as sat 22:00-06:00, or an ISO time or '
    "interval such as 2030-01-31T22:00/PT4H",
    f"now|after_hours|{_CLOCK}|{_WEEK}|{_ISO}(?:/(?:{_ISO}|{_LASTS}))?",
)


@dataclass(frozen=True, slots=True)
class _Window:
    """When changes may be made: a text in the right form that something fits in."""

    wants: str = _WINDOW.wants

    def read(self, node: Node, source: Source) -> str:
        text = _WINDOW.read(node, source)
        try:
            if text != "after_hours":  # the hours, and a computer's zone, are other questions
                windows.opens_at(text, None, "UTC", 0.0)
        except ImmyError as error:
            source.error(node, error.message, error.advice)
            raise Unreadable from None
        return text

    def schema(self) -> Schema:
        return _WINDOW.schema()


WINDOW = _Window()

OPTIONS: tuple[Key[object], ...] = (
    Key("reboot", Choice(Reboot), "skip (default), automatic, prompt (the people there are asked) or force."),
    Key("user_context", Choice(UserContext), "current_user (default), primary_user or skip."),
    Key(
        "window",
        WINDOW,
        "When changes may be made; a time of the day opens for 8 hours, or until business hours. Days and hours are "
        "written as business hours are: sat 22:00-06:00, sun 00:00-06:00; wed 01:00-04:00. An ISO time opens "
        "once, for 8 hours or as long as it says: 2030-01-31T22:00/PT4H, 2030-01-31T22:00/2030-02-01T02:00.",
    ),
    Key(
        "window_over",
        Choice(WindowOver),
        "What becomes of the rest when the window closes: carry (default) to its next opening, or miss.",
    ),
    Key("offline", Choice(Offline), "skip (default) or apply_on_connect."),
    Key("on_failure", Choice(OnFailure), "continue (default) or stop."),
    Key("reboots_in_business_hours", FLAG, "false: no reboot in business hours, not even by force."),
    Key("retries", Number("a number of attempts", whole=True, minimum=1), "Most attempts after 'try again' (1618)."),
    Key("retry_seconds", Number("a number of seconds", whole=True, minimum=0), "Pause before another attempt."),
    Key("max_reboots", Number("a number of reboots", whole=True, minimum=0), "Most reboots of one session."),
    Key("reboot_timeout_minutes", Number("minutes", minimum=0.01), "How long a reboot may take."),
    Key(
        "detection_valid_hours",
        Number("hours", minimum=0.001),
        "Actions that begin later than this after their detection are detected and planned again first (4).",
    ),
    Key(
        "session_timeout_minutes",
        Number("minutes", minimum=0.01),
        "How long a session may run (1440); waiting for its window, its computer or an answer does not count.",
    ),
    Key(
        "run_timeout_minutes",
        Number("minutes", minimum=0.01),
        "How long a whole run may run (10080): of each wave its longest session counts.",
    ),
    Key(
        "preflight",
        Choice(Preflight),
        "Of a computer that was not ready: missed (default) or failed; off: nobody asks.",
    ),
    Key(
        "preflight_minutes",
        Number("minutes", minimum=0.001),
        "How often it is looked whether it is ready (10).",
    ),
    Key("preflight_hours", Number("hours", minimum=0.0001), "How long it is waited for (8)."),
    Key("prompt_minutes", Number("minutes", minimum=0.01), "How long people see the question of reboot: prompt (15)."),
    Key(
        "prompt_later_minutes",
        ListOf(Number("minutes", whole=True, minimum=1), single=True),
        "By how much they may put it off (15, 60, 240); only times that lie in the window are offered.",
    ),
    Key("prompt_postponements", Number("a number", whole=True, minimum=0), "How often they may do so (3)."),
    Key("prompt_silence", Choice(Otherwise), "When somebody does not answer: skip (default) or reboot."),
    Key("prompt_refusal", Choice(Otherwise), "When somebody says no: skip (default) or reboot."),
    Key("prompt_nobody", Choice(Otherwise), "When nobody is logged on: reboot (default) or skip."),
    Key(
        "countdown_minutes",
        Number("minutes", minimum=0),
        "How long logged-on users see a countdown before automatic and force reboot their computer (10); 0: none.",
    ),
    Key(
        "primary_user_absent",
        Choice(Absent),
        "With user_context: primary_user, when that user is not logged on: skip (default) or wait for the logon.",
    ),
    Key("primary_user_hours", Number("hours", minimum=0.0001), "How long the logon is waited for (8)."),
    Key("ignore_pending_reboots", ListOf(TEXT, single=True), "Sources of pending reboots that do not count."),
)
OPTIONS_FORM = Form("options", OPTIONS)


@dataclass(frozen=True, slots=True)
class _Options:
    """Options, checked, but kept as written with their places."""

    wants: str = "options"

    def read(self, node: Node, source: Source) -> dict[str, Sourced]:
        record = OPTIONS_FORM.read(node, source)
        any_value = AnyValue()
        return {
            name: Sourced(any_value.read(record.nodes[name], source), source.place(record.nodes[name]))
            for name in record.values
        }

    def schema(self) -> Schema:
        return OPTIONS_FORM.schema()


# --- plays --------------------------------------------------------------------------------------------------------

_WAVE_PATTERN = r"[1-9]\d*|(?:100|[1-9]\d?)(?:\.\d+)?%"


@dataclass(frozen=True, slots=True)
class _Wave:
    """The size of one wave: a number of computers, or a percentage."""

    wants: str = "a number of computers or a percentage such as 10%"

    def read(self, node: Node, source: Source) -> str:
        if isinstance(node, ScalarNode) and node.tag in (INT, STR):
            text = Text(self.wants, _WAVE_PATTERN)
            plain = ScalarNode(STR, node.value, node.start_mark, node.end_mark)
            return text.read(plain, source)
        raise refuse(node, source, self.wants)

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^(?:{_WAVE_PATTERN})$"}]}


_PERCENT = Number("a percentage", minimum=0, maximum=100)
_ORDERS = "inventory|reverse_inventory|sorted|reverse_sorted|shuffle"

NAME = Key("name", TEXT, "What the play is called; its hosts if not said.")
HOSTS = Key("hosts", PATTERN, "Pattern of computers and groups.", required=True)
MAINTENANCE = Key("maintenance", TEXT, "full (default), resolution, detection, inventory, or one of types.yml.")
ITEMS = Key("items", ListOf(TEXT, single=True), "Globs over items, such as software/*; all if not said.")
PLAY_OPTIONS = Key("options", _Options(), "Options of the play's sessions.")
VARS = Key("vars", MapOf(WithPlace(), key_wants="a variable's name"), "Variables of the play.")
SERIAL = Key("serial", ListOf(_Wave(), single=True, filled=True), "Sizes of the waves; the last one repeats.")
MAX_FAIL = Key(
    "max_fail_percentage",
    _PERCENT,
    "A wave with more failures than this ends the run; computers that are off, busy or excluded do not count.",
)
ORDER = Key("order", Text(_ORDERS.replace("|", ", "), _ORDERS), "Order of the computers.")
TAGS = Key("tags", ListOf(TEXT, single=True), "Names to select plays by.")

_KEYS: tuple[Key[object], ...] = (
    NAME, HOSTS, MAINTENANCE, ITEMS, PLAY_OPTIONS, VARS, SERIAL, MAX_FAIL, ORDER, TAGS,
)  # fmt: skip


def _play(record: Record) -> Play:
    hosts = record.get(HOSTS)
    if hosts is None:
        raise Unreadable
    pattern = joined(hosts)
    play = Play(name=record.take(NAME, pattern), hosts=pattern, place=record.place())
    return replace(
        play,
        maintenance=record.take(MAINTENANCE, play.maintenance),
        items=record.take(ITEMS, ()),
        options=record.take(PLAY_OPTIONS, {}),
        vars=record.take(VARS, {}),
        serial=record.take(SERIAL, ()),
        max_fail_percentage=float(record.take(MAX_FAIL, play.max_fail_percentage)),
        order=record.take(ORDER, play.order),
        tags=record.take(TAGS, ()),
        places=dict(_places(record)),
    )


def _places(record: Record) -> Iterator[tuple[str, Place]]:
    """Where what can lead nowhere stands."""
    for key in (HOSTS, MAINTENANCE, ITEMS):
        if (node := record.nodes.get(key.name)) is not None:
            yield key.name, record.source.place(node)
            for child in node.value if isinstance(node, SequenceNode) else ():
                if isinstance(child, ScalarNode):
                    yield f"{key.name} {child.value}", record.source.place(child)


PLAYS = ListOf(Built(Form("a play", _KEYS), _play), filled=True)


def read_playbook(node: Node, source: Source) -> Playbook:
    """All readable plays of one file."""
    try:
        return Playbook(source.file, PLAYS.read(node, source))
    except Unreadable:
        return Playbook(source.file, ())
