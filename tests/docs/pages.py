"""`docs/commands.md` and `docs/files.md`, made from the commands and from the shapes that read the files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

from immy_nornir.cli.main import immy
from immy_nornir.fleet.schema import SHAPES, schema_of
from immy_nornir.model.items import Platform

NOTE = "<!-- Made by `IMMY_UPDATE_DOCS=1 pytest tests/docs/test_reference.py`; edits here are lost. -->"

# --- commands -------------------------------------------------------------------------------------------------


def all_commands(command: click.Command = immy, name: str = "immy") -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, groups before what is in them."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None, each
            yield from all_commands(found, f"{name} {each}")


def usage(name: str, command: click.Command) -> str:
    """The first line of a command's help."""
    words = [name]
    for one in command.params:
        if isinstance(one, click.Argument):
            word = one.metavar or (one.name or "").upper()
            word = word if word.startswith("[") or one.required else f"[{word}]"
            words.append(word if one.nargs == 1 or word.endswith("...") else f"{word}...")
    if isinstance(command, click.Group):
        words.append("COMMAND")
    return " ".join([words[0], "[OPTIONS]", *words[1:]])


def option_name(option: click.Option) -> str:
    """An option as it is written, with what it takes."""
    names = ", ".join(f"`{one}`" for one in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    kind = option.type
    if isinstance(kind, click.Choice):
        return f"{names} {', '.join(f'`{one}`' for one in kind.choices)}"
    taken = option.metavar or ("NUMBER" if isinstance(kind, click.IntRange | click.FloatRange) else "TEXT")
    return f"{names} {taken}"


def option_text(option: click.Option) -> str:
    """What an option means, with its default."""
    text = " ".join((option.help or "").split())
    notes = []
    if option.multiple:
        notes.append("may be repeated")
    if option.show_default and isinstance(option.default, str | int | float):
        notes.append(f"default: {option.default}")
    notes = [one for one in notes if one not in text]
    return f"{text} ({'; '.join(notes)})" if notes else text


def commands_page() -> str:
    """The whole page of commands."""
    parts = ["# Commands", NOTE, "Each command has `--help`. Options of `immy` itself stand before the command."]
    for name, command in all_commands():
        parts += [f"## {name}", f"    {usage(name, command)}"]
        parts += ["\n".join(one.split("\n")) for one in _paragraphs(command.help or "")]
        parts += [
            f"{(one.name or '').upper()} is one of {', '.join(f'`{each}`' for each in one.type.choices)}."
            for one in command.params
            if isinstance(one, click.Argument) and isinstance(one.type, click.Choice)
        ]
        rows = [
            f"| {table_cell(option_name(one))} | {table_cell(option_text(one))} |"
            for one in command.params
            if isinstance(one, click.Option)
        ]
        if rows:
            parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> list[str]:
    return [" ".join(one.split()) for one in text.split("\n\n")]


def table_cell(text: str) -> str:
    """A text as it stands in a table."""
    return text.replace("|", "\\|")


# --- files ----------------------------------------------------------------------------------------------------

_HEADS: Mapping[str, str] = {
    "software": """A program, and how it is found, installed, updated and removed. A package manager alone is enough:
`winget: Google.Chrome`. Keys for one platform stand in a block `windows:`, `linux:` or `macos:`.""",
    "task": """A setting or a piece of work. It is declarative (`registry`, `service`, `file`, `package`), or it has
scripts: `get` reads, `test` says whether it is so, `set` makes it so. Texts may hold templates, such as
`{{ params.minutes }}`.""",
    "inventory-item": "A fact of your own: a script that reads something of a computer.",
    "deployments": """Rules: which item on which computers, in which state. They hold for every run; a playbook only
selects among them. The narrower scope wins: one computer, then one tenant, then all; then the higher priority. A tie is
an error.""",
    "playbook": "A list of plays: which computers get which maintenance, and with which options.",
    "blackouts": """Dates at which nothing begins, by the clock of each computer; all that reach a computer hold. See
[windows of time](windows-of-time.md).""",
    "limits": "How much may go on at one time: [limits](limits.md).",
    "telling": "Who is told what, and how each is reached: [telling](telling.md).",
    "types": "Maintenance types of your own, beside `full`, `resolution`, `detection` and `inventory`.",
    "schedules": """What begins by itself, and when; see [schedules](schedules.md). `when` is cron, a rule of
RFC 5545, or words such as `Patch Tuesday + 3 days at 22:00`.""",
}

_LATER: Mapping[str, str] = {}
"""Keys that promise more than happens today."""

VARIABLES: Mapping[str, str] = {
    "immy_tenant": "The customer, where no group below `tenants` says it.",
    "immy_identity": "Which machine it must be: a map of `name`, `domain`, `uuid`. Another one ends the session.",
    "immy_primary_user": "Whose computer it is; if not said, it is [learned](users.md). Empty: nobody's.",
    "immy_not_primary": "Names of accounts that are nobody's computer, such as `[adm-*]`; see [users](users.md).",
    "immy_business_hours": '`"mon-fri 08:00-18:00; sat 09:00-12:00"`, or a map of days. For `window: after_hours`.',
    "immy_time_zone": "Such as `Europe/Berlin`; if not said, the computer's own, as it reports it. Where nobody "
    "knows it, a window other than `now` is an error.",
    "immy_options": "Options of its sessions, as in a play; a play and the command line win over them.",
    "immy_onboarding": "true: deployments with `enforcement: onboarding` hold, and come first.",
    "immy_prompt_texts": "The words of the questions before a reboot, for all languages or by language "
    "([prompts](prompts.md)).",
    "immy_hold": "`{until: 2027-01-15, reason: year-end accounts}`: nothing is changed until then; without an end, "
    "while it is there.",
    "immy_excluded": "true: no maintenance but the type `inventory`.",
    "immy_tags": "Names of your own, for conditions in `where`.",
    "immy_certificate_sha256": "The fingerprint of its certificate, instead of an authority that signed it.",
    "immy_allow_plain_basic": "true: Basic over http is allowed. Everybody on the way can read the password.",
    "immy_site": "The computer's site, inside its tenant, for limits per site; without one the tenant is its site.",
    "immy_allow_local_reboot": "true: the machine that runs immy may be rebooted by it.",
    "immy_lab": "What the lab simulates for it; real computers have no use for it.",
}
"""Variables of the inventory that immy itself reads; a test compares them with the code."""

_TAIL = """## The inventory

Ansible's: YAML or INI files and folders of them in `inventory/`, with `group_vars/` and `host_vars/` beside. They are
YAML 1.1, as in Ansible; all other files are YAML 1.2, where `no` is a text. Connections use Ansible's variables:
`ansible_connection` (`winrm`, `psrp` which is reached by WinRM, `ssh`, `local`), `ansible_host`, `ansible_port`,
`ansible_user`, `ansible_password`, `ansible_winrm_*`, `ansible_ssh_*`, `ansible_become*`.

Where a yes or a no is wanted, `true`, `yes`, `on`, `y`, `t`, `1` and `false`, `no`, `off`, `n`, `f`, `0` mean the same
in every file, variable, option and condition, in any case. What is neither is an error; `immy_excluded` then holds. The
result of a condition, and of each part that `and`, `or` and `not` join, is one of these words too.

Variables of immy's own:

{variables}

## Secrets

Wherever a value may be secret, `{{secret: "env:NAME"}}` reads the environment variable NAME, and
`{{secret: "file:PATH"}}` reads a file, and `{{secret: {{command: [PROGRAM, ARGUMENT], timeout: 30}}}}` takes what a
program prints, without a shell. `!vault` holds a text that `ansible-vault encrypt_string` made. The value goes to the
computer when a connection or a job needs it, and nowhere else.

## Other files

| file | meaning |
|---|---|
| `FREEZE` | in the fleet's folder: no run changes anything, not even one at work; its first line is shown |
| `reports/report.html.j2`, `customer.html.j2`, ... | templates of your own, see [reports](../reports/README.md) |
| `.immy/` | what immy writes: `history.db`, `reports/`, `bug.log`; Git should ignore it |
"""

_FIRST = """Keys in **bold** must be there. A name with dots lies inside the key before the dot; where a list is
allowed, its entries have these keys. `immy schema --write DIR` writes JSON Schemas, with which editors check and
complete all of this."""


def files_page() -> str:
    """The whole page of files."""
    parts = [
        "# Files of a fleet",
        NOTE,
        _FIRST,
    ]
    for kind, (_, where) in SHAPES.items():
        # One mapping alone and a list of them have the same keys.
        rows = list(dict.fromkeys(f"| {name} | {table_cell(text)} |" for name, text in _rows(schema_of(kind), "")))
        parts += [f"## {where}", _HEADS[kind], "\n".join(["| key | meaning |", "|---|---|", *rows])]
    names = [f"| `{name}` | {text} |" for name, text in VARIABLES.items()]
    parts.append(_TAIL.format(variables="\n".join(["| variable | meaning |", "|---|---|", *names])).rstrip())
    return "\n\n".join(parts) + "\n"


def _rows(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Key and meaning, depth first; a key that has several forms is told with the keys of its mapping."""
    for shape in schema.get("anyOf", [schema]):
        if shape.get("type") == "array":
            yield from _rows(shape["items"], path)
            continue
        if shape.get("type") != "object":
            continue
        required = shape.get("required", [])
        for name, value in shape.get("properties", {}).items():
            full = f"{path}.{name}" if path else name
            if path == "" and name in set(Platform):
                continue
            yield f"**`{full}`**" if name in required else f"`{full}`", _meaning(value, full)
            if not _is_script(value):
                yield from _rows(value, full)
        for value in shape.get("patternProperties", {}).values():
            yield from _rows(value, f"{path}.NAME")


def _is_script(schema: Mapping[str, Any]) -> bool:
    """A script by its name, or with `file` and `timeout`: told in one row."""
    return any(set(one.get("properties", {})) == {"file", "timeout"} for one in schema.get("anyOf", ()))


def _meaning(schema: Mapping[str, Any], key: str) -> str:
    text = " ".join(filter(None, [str(schema.get("description", "")), _LATER.get(key, "")]))
    if _is_script(schema):
        text += " A file's name, or `{file: NAME, timeout: 2m}`."
    words = [str(one) for one in _enum(schema)]
    if words and not all(re.search(rf"\b{re.escape(one)}\b", text) for one in words):
        text += f" One of {', '.join(f'`{one}`' for one in words)}."
    return text.strip() or _by_pattern(schema)


def _enum(schema: Mapping[str, Any]) -> list[Any]:
    if "enum" in schema:
        return list(schema["enum"])
    if "items" in schema:
        return _enum(schema["items"])
    found = [_enum(one) for one in schema.get("anyOf", ())]
    return next((one for one in found if one), [])


def _by_pattern(schema: Mapping[str, Any]) -> str:
    """A key without a description: its words, where the pattern is nothing but words."""
    match = re.fullmatch(r"\^\(\?:([\w|]+)\)\$", str(schema.get("pattern", "")))
    return f"One of {', '.join(f'`{one}`' for one in match[1].split('|'))}." if match else ""
