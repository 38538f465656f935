"""The work of a job by its kind, as the program that the supervisor runs on a POSIX computer.

Pure: `jobs` sends what this makes. The shell it builds on is `work.sh`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from immy_nornir.model.items import Language
from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobSpec
from immy_nornir.remote.posix.program import encoded, source
from immy_nornir.remote.posix.shell_values import variables

MANAGERS = ("apt", "brew", "dnf", "yum")


@dataclass(frozen=True, slots=True)
class Work:
    """A program with its variables (not secret)."""

    program: str
    variables: Mapping[str, str] = field(default_factory=dict)


def work_of(spec: JobSpec) -> Work:
    """The program of a job; raises ValueError, KeyError or TypeError for work that is not as docs/wire.md says."""
    work = spec.work
    match spec.kind:
        case "script" | "ask":
            return Work(_script(work), _params(work))
        case "command":
            return Work(_command(work), _words(work))
        case "installer" if work.get("uninstall"):
            return Work(_uninstall(work), _params(work))
        case "installer":
            return Work(_library() + _installer(work), _params(work))
        case "package":
            return Work(_library() + _package(work))
        case "declare":
            return Work(_library() + _declare(work))
        case _:
            raise ValueError(f"a job of the kind {spec.kind!r} is not known here")


def _library() -> str:
    return source("tools.sh", "lookups.sh", "work.sh")


def _word(text: str) -> str:
    return f"'{encoded(text)}'"


def _texted(work: Mapping[str, Json], key: str) -> str:
    value = work.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"its {key} is no text")
    if "\0" in value:
        raise ValueError(f"its {key} holds a NUL")
    return value


def _script(work: Mapping[str, Json]) -> str:
    text = work["script"]
    if not isinstance(text, str):
        raise ValueError("its script is no text")
    if work.get("language") not in (None, Language.SH):
        raise ValueError(f"its script is {work.get('language')}, and this computer runs sh")
    return text


def _params(work: Mapping[str, Json]) -> Mapping[str, str]:
    params = work.get("params") or {}
    if not isinstance(params, Mapping):
        raise ValueError("its params are no map")
    return variables(params)


_PUT_TOGETHER = """set --
immy_word=1
while [ "$immy_word" -le "$IMMY_WORDS" ]; do
  eval "set -- \\"\\$@\\" \\"\\$IMMY_WORD_$immy_word\\""
  unset "IMMY_WORD_$immy_word"
  immy_word=$((immy_word + 1))
done
unset IMMY_WORDS immy_word
"""
"""The words of a command, out of the variables that they travel in."""


def _words(work: Mapping[str, Json]) -> Mapping[str, str]:
    """The words of a command as variables; raises ValueError for what no variable can hold."""
    words = work.get("words") or []
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        raise ValueError("its words are no list of texts")
    if not work.get("script") and len(words) < 2:  # a line, or nothing
        return {}
    return variables({"words": len(words), **{f"word_{number}": one for number, one in enumerate(words, 1)}})


def _command(work: Mapping[str, Json]) -> str:
    """A line as it is; else a program or a script, with words that nothing is made of."""
    if work.get("shell") not in (None, "sh"):
        raise ValueError(f"this computer has no shell {work.get('shell')}; it has sh")
    if work.get("script"):
        script = _script(work)
        return (
            f"{source('tools.sh')}\numask 022\n{_PUT_TOGETHER}"
            f'printf %s {_word(script)} | immy_decode >"$IMMY_JOB/script"\n'
            'immy_launch=exec\nimmy_script "$IMMY_JOB/script" "$@"\n'
        )
    words = work.get("words") or []
    if not isinstance(words, list) or not words:
        raise ValueError("there is nothing to run")
    return f"{_texted({'line': words[0]}, 'line')}\n" if len(words) == 1 else f'{_PUT_TOGETHER}"$@"\n'


def _uninstall(work: Mapping[str, Json]) -> str:
    if work.get("script"):
        return _script(work)
    command = _texted(work, "command").strip()
    if not command:
        raise ValueError("it has no command to uninstall with")
    return command + "\n"


def _installer(work: Mapping[str, Json]) -> str:
    script = _script(work) if work.get("script") else None
    lines: list[str] = []
    url = _texted(work, "url")
    if url:
        lines.append(f"immy_download {_word(_place(url))} {_word(_file_name(work, url))} {_word(_digest(work))}")
    if work.get("only") == "download":
        lines.append('wc -c <"$IMMY_INSTALLER" | tr -d " \\t" | sed "s/$/ bytes/"')
    elif script is not None:
        lines.append(f'printf %s {_word(script)} | immy_decode >"$IMMY_JOB/install"')
        lines.append('cd "$IMMY_JOB" && immy_launch=exec && immy_script "$IMMY_JOB/install"')
    else:
        if not url:
            raise ValueError("it has neither a url nor a script")
        how = _texted(work, "type") or "exe"
        if how not in ("exe", "script"):
            raise ValueError(f"an installer of the type {how} is not for this platform; exe and script are")
        try:
            arguments = shlex.split(_texted(work, "arguments"))
        except ValueError as error:
            raise ValueError(f"its arguments cannot be read: {error}") from error
        lines.append(" ".join(["immy_install", how, *map(_word, arguments)]))
    return "\n".join(lines) + "\n"


def _place(url: str) -> str:
    """What is downloaded: a path for `file:`, else the url itself."""
    parts = urlsplit(url)
    match parts.scheme.lower():
        case "http" | "https":
            return url
        case "file" if parts.netloc in ("", "localhost") and parts.path:
            return unquote(parts.path)
        case _:
            raise ValueError(f"its url is none of http, https or file: {url}")


def _file_name(work: Mapping[str, Json], url: str) -> str:
    name = _texted(work, "file_name") or unquote(urlsplit(url).path).rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._+@-]", "_", name.rpartition("/")[2]).lstrip(".-")
    return name or "installer"


def _digest(work: Mapping[str, Json]) -> str:
    digest = _texted(work, "sha256").strip().lower()
    if digest and not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError(f"its sha256 is none: {digest[:80]}")
    return digest


def _manager(work: Mapping[str, Json]) -> str:
    manager = _texted(work, "manager")
    if manager not in MANAGERS:
        raise ValueError(f"{manager or 'nothing'} is no package manager of this platform; {', '.join(MANAGERS)} are")
    return manager


def _package_name(work: Mapping[str, Json]) -> str:
    name = _texted(work, "name")
    if not name or name.startswith("-") or re.search(r"[\s*?\[\]]", name):
        raise ValueError(f"{name!r} is no package name")
    return name


def _version(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+:~_^-]*", text):
        raise ValueError(f"{text!r} is no package version")
    return text


def _package(work: Mapping[str, Json]) -> str:
    action = _texted(work, "action") or "install"
    if action not in ("install", "uninstall"):
        raise ValueError(f"{action} is no action on packages; install and uninstall are")
    words = (_manager(work), action, _word(_package_name(work)), _word(_version(_texted(work, "version"))))
    return "immy_package_job " + " ".join(words) + "\n"


def _declare(work: Mapping[str, Json]) -> str:
    resources = work["resources"]
    if not isinstance(resources, list | tuple):
        raise ValueError("its resources are no list")
    lines = [_resource(resource) for resource in resources]
    return "\n".join([*lines, "immy_declared", ""])


def _resource(resource: Json) -> str:
    if not isinstance(resource, Mapping):
        raise ValueError("a resource is no map")
    match resource.get("resource"):
        case "file":
            return _declare_file(resource)
        case "service":
            return _declare_service(resource)
        case "package":
            return _declare_package(resource)
        case "registry":
            raise ValueError("this computer has no registry")
        case other:
            raise ValueError(f"a resource {other!r} is not known here")


def _declare_file(resource: Mapping[str, Json]) -> str:
    path, content, mode = _texted(resource, "path"), resource.get("content"), _texted(resource, "mode")
    if not path.startswith("/"):
        raise ValueError(f"the path of a file begins with /: {path!r}")
    if mode and not re.fullmatch(r"[0-7]{1,5}", mode):
        raise ValueError(f"{mode!r} is no octal mode")
    text = "" if content is None else str(content)
    words = (
        _word(path),
        _word(text),
        "-" if content is None else "content",
        mode or "-",
        "absent" if resource.get("absent") else "-",
    )
    return "immy_declare_file " + " ".join(words)


def _declare_service(resource: Mapping[str, Json]) -> str:
    name, state, startup = (_texted(resource, key) for key in ("name", "state", "startup"))
    if not name or name.startswith("-") or "/" in name:
        raise ValueError(f"{name!r} is no service name")
    if state not in ("", "running", "stopped"):
        raise ValueError(f"the state of service {name} is {state}; running and stopped can be set")
    if startup not in ("", "automatic", "disabled"):
        raise ValueError(f"the start-up of service {name} is {startup}; automatic and disabled can be set here")
    return f"immy_declare_service {_word(name)} {state or '-'} {startup or '-'}"


def _declare_package(resource: Mapping[str, Json]) -> str:
    state = _texted(resource, "state") or "present"
    actions = {"present": "present", "latest": "latest", "absent": "uninstall"}
    version = "" if state in actions else _version(state)
    words = (_manager(resource), actions.get(state, "install"), _word(_package_name(resource)), _word(version))
    return "immy_declare_package " + " ".join(words)
