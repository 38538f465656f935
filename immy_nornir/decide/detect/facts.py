"""What is known of a computer, by the names that conditions and templates use; and the questions that become facts.

Pure. Not here: who asks them (session), where they are kept (history).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from immy_nornir.model.facts import Facts, Identity
from immy_nornir.model.inventory import Computer
from immy_nornir.model.items import InventoryItem, Library, Platform
from immy_nornir.model.values import Json, SameObjects, Value
from immy_nornir.model.wire import Answer, AnswerStatus, Read, ReadOperation

_SYSTEM = (
    "os", "version", "build", "architecture", "chassis", "role", "memory_gb", "disk_free_gb", "manufacturer", "model",
    "powershell", "language_mode", "time",
)  # fmt: skip
NAMES = frozenset({*_SYSTEM, "name", "domain", "platform", "users", "pending_reboots", "primary_user"})
"""Facts that every computer is asked for at every contact (docs/wire.md, `identity`), and whose computer it is."""
SECTIONS = frozenset({"hardware", "network", "software", "inventory"})
"""Facts that the inventory stage collects, each a map."""


def presumed(name: str, stored: Facts, platform: Platform) -> Identity:
    """Whom to expect before the computer was spoken to: what was last seen of it, on `platform` where it never was."""
    system, pending = stored.values.get("system"), stored.values.get("pending_reboots")
    about = system if isinstance(system, dict) else {}
    own, domain, uuid = (str(about.get(key) or "") for key in ("name", "domain", "uuid"))
    if about.get("platform") in set(Platform):
        platform = Platform(str(about["platform"]))
    sources = tuple(str(one) for one in pending) if isinstance(pending, list) else ()
    return Identity(own or name, domain, uuid, platform=platform, pending_reboots=sources, system=about)


def facts_for(identity: Identity, stored: Facts, primary_user: str | None = None) -> dict[str, Json]:
    """Facts by the names that conditions use: the system's own at the top, sections below.

    `primary_user` is the fact of that name (decide.resolve.primary_user), None where it is not known.
    """
    system = {key: value for key, value in identity.system.items() if value is not None}
    found: dict[str, Json] = {
        **system,
        "name": identity.name,
        "domain": identity.domain,
        "platform": identity.platform.value,
        "users": list(identity.users),
        "pending_reboots": list(identity.pending_reboots),
        **({} if primary_user is None else {"primary_user": primary_user}),
    }
    for section, value in stored.values.items():
        if section == "software" and isinstance(value, list):
            rows = [row for row in value if isinstance(row, dict)]
            found["software"] = {str(row.get("name")): row.get("version") for row in rows}
        elif section not in found and section not in ("system", "primary_user"):  # what it was once is for reports
            found[section] = value
    return found


def known_names(computer: Computer, given: Mapping[str, Value]) -> dict[str, Value]:
    """The computer's variables, `given` ones (of the play and the command line) over them, and Ansible's own names."""
    own: dict[str, Value] = {
        "inventory_hostname": computer.name,
        "inventory_hostname_short": computer.name.partition(".")[0],
        "group_names": list(computer.groups),
        "groups": list(computer.groups),
        "tenant": computer.tenant,
    }
    return computer.names({}, {**own, **given})


GIVEN_NAMES = frozenset({"inventory_hostname", "inventory_hostname_short", "group_names", "groups", "tenant"})
"""Names of `known_names` that every computer has, whatever its variables."""


# --- asking ---------------------------------------------------------------------------------------------------


def questions(library: Library, platform: Platform) -> tuple[ReadOperation, ...]:
    """The reading operations of the inventory stage; computers of a platform share them."""
    scripts = [one for some in library.inventory.values() for one in some if one.platform is platform]
    return _questions(SameObjects(scripts))


@functools.lru_cache(maxsize=64)
def _questions(scripts: Sequence[InventoryItem]) -> tuple[ReadOperation, ...]:
    sections: list[Json] = ["hardware", "users", "network"]
    found = [
        ReadOperation("facts", Read.FACTS, {"sections": sections}),
        ReadOperation("software", Read.SOFTWARE, timeout_seconds=120),
    ]
    for one in scripts:
        params: dict[str, Json] = {"params": {}, "purpose": "inventory", "item": f"inventory/{one.name}"}
        script = one.script
        found.append(
            ReadOperation(
                f"inventory:{one.name}", Read.SCRIPT, params, script.text, script.language, script.timeout_seconds
            )
        )
    return tuple(found)


def facts_of(answers: Mapping[str, Answer], now: float) -> tuple[Facts, tuple[str, ...]]:
    """What the answers to `questions` say, and what could not be found out."""
    values: dict[str, Json] = {}
    inventory: dict[str, Json] = {}
    problems: list[str] = []
    for name, answer in answers.items():
        if answer.status is not AnswerStatus.OK:
            problems.append(f"{name}: {answer.error or answer.status}")
        elif name == "facts" and isinstance(answer.result, dict):
            values.update({section: told for section, told in answer.result.items() if not _why_not(told)})
            problems += [f"{section}: {why}" for section, told in answer.result.items() if (why := _why_not(told))]
        elif name == "software" and isinstance(answer.result, list):
            values["software"] = [row for row in answer.result if not _why_no_row(row)]
            problems += [f"{name}: {why}" for row in answer.result if (why := _why_no_row(row))]
        elif name in ("facts", "software"):
            problems.append(f"{name}: the answer has another form: {answer.result!r:.80}")
        elif name.startswith("inventory:"):
            inventory[name.partition(":")[2]] = answer.result
    if inventory:
        values["inventory"] = inventory
    return Facts(values, dict.fromkeys(values, now)), tuple(problems)


def _why_not(told: Json) -> str:
    """Why one thing of many could not be read; empty when it was (docs/wire.md)."""
    return str(told.get("error") or "") if isinstance(told, dict) else ""


def _why_no_row(row: Json) -> str:
    return _why_not(row) if isinstance(row, dict) else f"an entry is no map: {row!r:.80}"
