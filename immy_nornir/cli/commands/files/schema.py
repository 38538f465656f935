"""`immy schema`: JSON Schemas for editors."""

from __future__ import annotations

from pathlib import Path

import click

from immy_nornir.cli.door import say, say_json
from immy_nornir.fleet.schema import SHAPES, schema_of
from immy_nornir.text import json


@click.command()
@click.argument("kind", required=False, type=click.Choice(list(SHAPES)))
@click.option("--write", "folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write files.")
def schema(kind: str | None, folder: Path | None) -> None:
    """Print the JSON Schemas of the fleet's files, for editors.

    Editors check and complete with them while you write. Without KIND: all of them. --write puts them into files.
    """
    kinds = [kind] if kind else list(SHAPES)
    if folder is None:
        document = schema_of(kind) if kind else {each: schema_of(each) for each in kinds}
        say_json(json.indented(document))
        return
    folder.mkdir(parents=True, exist_ok=True)
    for each in kinds:
        path = folder / f"{each}.schema.json"
        path.write_text(json.indented(schema_of(each)) + "\n", encoding="utf-8", newline="\n")
        say(str(path))
    shown = {f"{folder.as_posix()}/{each}.schema.json": _globs(each) for each in kinds}
    say(f"VS Code (YAML extension), settings.json:\n{json.indented({'yaml.schemas': shown})}", err=True)


def _globs(kind: str) -> list[str]:
    globs = [SHAPES[kind][1]]
    # These files lie among the playbooks.
    others = [f"!{SHAPES[one][1]}" for one in ("types", "schedules", "blackouts", "limits", "telling")]
    return [*globs, *others] if kind == "playbook" else globs
