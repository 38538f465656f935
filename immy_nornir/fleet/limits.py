"""`playbooks/limits.yml` -> the fleet's limits.

Not here: whether the named groups exist (`checks.limits`), and what the limits mean for a session (`decide.limits`).
"""

from __future__ import annotations

from immy_nornir.model.control.limits import HEAVY_MB, NO_LIMITS, GroupLimit, Limits, Per
from immy_nornir.shapes.files import Source
from immy_nornir.shapes.forms import Built, Form, Key, ListOf, Record
from immy_nornir.shapes.scalars import TEXT, Choice, Number, Unreadable
from immy_nornir.text.yaml import Node

_COUNT = Number("a number of computers", whole=True, minimum=1)

GROUP = Key("group", TEXT, "A group of the inventory.", required=True)
OF_GROUP = Key("computers", _COUNT, "At most so many of its computers are worked on at once.")
MAX_REBOOTING = Key("max_rebooting", _COUNT, "At most so many of its computers reboot at once.")
REBOOT_AFTER = Key(
    "reboot_after",
    ListOf(TEXT, single=True, filled=True),
    "Groups: none of these computers reboots while sessions of theirs are under way in the same process.",
)
PER = Key("per", Choice(Per), "Over whom these count: the fleet (if not said), or each tenant or site by itself.")

COMPUTERS = Key("computers", _COUNT, "At most so many computers are worked on at once, in all.")
PER_TENANT = Key("per_tenant", _COUNT, "At most so many of one tenant.")
PER_SITE = Key("per_site", _COUNT, "At most so many of one site: immy_site of a computer; without one its tenant.")
CONNECTIONS = Key(
    "connections_per_second",
    Number("a number of connections", minimum=0.1),
    "At most so many connections are opened in a second.",
)
DOWNLOADS = Key("downloads_per_site", _COUNT, "At most so many computers of a site install something heavy at once.")
HEAVY = Key(
    "heavy_mb",
    Number("a number of megabytes", minimum=0),
    f"From which download_mb of its definition on a software is heavy; {HEAVY_MB:g} if not said.",
)

_GROUP_KEYS: tuple[Key[object], ...] = (GROUP, OF_GROUP, MAX_REBOOTING, REBOOT_AFTER, PER)


def _group(record: Record) -> GroupLimit:
    group = record.get(GROUP)
    if group is None:
        raise Unreadable
    if not any(record.has(key) for key in (OF_GROUP, MAX_REBOOTING, REBOOT_AFTER)):
        record.error(None, f"nothing is limited of {group}", "add 'computers:', 'max_rebooting:' or 'reboot_after:'")
    after = record.take(REBOOT_AFTER, ())
    names = [(group, record.place(GROUP)), *((one, record.place(REBOOT_AFTER)) for one in after)]
    return GroupLimit(
        group,
        record.place(),
        int(record.take(OF_GROUP, 0)),
        int(record.take(MAX_REBOOTING, 0)),
        after,
        record.take(PER, Per.FLEET),
        tuple(names),
    )


GROUPS = Key("groups", ListOf(Built(Form("the limits of a group", _GROUP_KEYS), _group)), "Limits of groups.")
LIMITS = Form("limits", (COMPUTERS, PER_TENANT, PER_SITE, CONNECTIONS, DOWNLOADS, HEAVY, GROUPS))


def read_limits(node: Node, source: Source) -> Limits:
    """The limits of the file, as far as they can be read."""
    try:
        record = LIMITS.read(node, source)
    except Unreadable:
        return NO_LIMITS
    groups = record.take(GROUPS, ())
    first: dict[str, GroupLimit] = {}
    for each in groups:
        known = first.setdefault(each.group, each)
        if known is not each:
            source.error(each.place, f"the group '{each.group}' stands twice", f"the first is at {known.place}")
    return Limits(
        int(record.take(COMPUTERS, 0)),
        int(record.take(PER_TENANT, 0)),
        int(record.take(PER_SITE, 0)),
        float(record.take(CONNECTIONS, 0.0)),
        int(record.take(DOWNLOADS, 0)),
        float(record.take(HEAVY, HEAVY_MB)),
        tuple(first.values()),
    )
