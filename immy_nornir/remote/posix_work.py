"""The work of a job by its kind, as the program that the supervisor runs on a POSIX computer.

Pure: `posix_jobs` sends what this makes. The shell it builds on is `posix_work.sh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from immy_nornir.model.items import Language
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobSpec
from immy_nornir.remote.posix_program import encoded, source
from immy_nornir.remote.posix_values import variables


@dataclass(frozen=True, slots=True)
class Work:
    """A program with its variables (not secret)."""

    program: str
    variables: Mapping[str, str] = field(default_factory=dict)


def work_of(spec: JobSpec) -> Work:
    """The program of a job; raises ValueError, KeyError or TypeError for work that is not as docs/wire.md says."""
    match spec.kind:
        case "script":
            return Work(script_text(spec.work), _params(spec.work))
        case _:
            raise ValueError(f"a job of the kind {spec.kind!r} is not known here")


def script_text(work: Mapping[str, Json]) -> str:
    """The text of work's script; raises ValueError when it is none for sh."""
    text = work["script"]
    if not isinstance(text, str):
        raise ValueError("its script is no text")
    if work.get("language", Language.SH) != Language.SH:
        raise ValueError(f"its script is {work.get('language')}, and this computer runs sh")
    return text


def _params(work: Mapping[str, Json]) -> Mapping[str, str]:
    params = work.get("params") or {}
    if not isinstance(params, Mapping):
        raise ValueError("its params are no map")
    return variables(params)


def _library() -> str:
    return source("posix_tools.sh", "posix_work.sh")


__all__ = ["Work", "encoded", "script_text", "work_of"]
