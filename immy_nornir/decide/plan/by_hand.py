"""A job's step -> the lines that do the same by hand on the computer; pure, and without secrets.

They are for reading and trying: the job itself also checks sums, waits for locks and reports its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from immy_nornir.decide.detect.by_hand import assigned, quoted
from immy_nornir.decide.plan.job_steps import Step
from immy_nornir.model.items import Language
from immy_nornir.model.values import Json, SecretRef
from immy_nornir.text.plain import plain


def by_hand(step: Step) -> Iterator[str]:
    """The lines of one step."""
    work = step.work
    match step.kind:
        case "package":
            yield _package(work)
        case "command":
            yield from _typed(work)
        case "declare":
            resources = work["resources"]
            for one in resources if isinstance(resources, list | tuple) else ():
                yield (
                    f"set {plain({k: v for k, v in one.items() if v is not None})}" if isinstance(one, Mapping) else ""
                )
        case "installer" if work.get("uninstall") and not work.get("script"):
            yield plain(work.get("command"))
        case _:
            yield from _installer(step)


def _installer(step: Step) -> Iterator[str]:
    work = step.work
    name = plain(work.get("file_name"))
    if work.get("url"):
        yield f"download {plain(work['url'])} as {name}" + (f", sha256 {work['sha256']}" if work.get("sha256") else "")
    if work.get("only") == "download":
        return
    if work.get("script"):
        yield from _script(work, step.secrets)
        return
    arguments = plain(work.get("arguments") or "")
    match work.get("type"):
        case "msi":
            yield f'msiexec.exe /i "{name}" /qn /norestart {arguments}'.rstrip()
        case _:
            yield f'"{name}" {arguments}'.rstrip()


def _script(work: Mapping[str, Json], secrets: Mapping[str, SecretRef]) -> Iterator[str]:
    params = work.get("params")
    given = {**(params if isinstance(params, Mapping) else {}), **{name: f"<{ref}>" for name, ref in secrets.items()}}
    yield from assigned(given, work.get("language"))
    yield from plain(work.get("script")).splitlines()


def _typed(work: Mapping[str, Json]) -> Iterator[str]:
    words = [plain(one) for one in work["words"]] if isinstance(work["words"], list) else []
    posix = work.get("language") == Language.SH
    said = words[0] if len(words) == 1 and not work.get("script") else ""
    line = said or " ".join(quoted(one, posix=posix) for one in words)
    if work.get("script"):
        yield f"# with these arguments: {line}" if words else "# without arguments"
        yield from plain(work["script"]).splitlines()
    else:
        yield from (line if said or posix else f"& {line}").splitlines()


def _package(work: Mapping[str, Json]) -> str:
    manager, name, action = (plain(work.get(key)) for key in ("manager", "name", "action"))
    version = work.get("version")
    match manager:
        case "winget":
            more = f" --version {version}" if version else ""
            return f"winget {action} --id {name} --exact --silent --accept-source-agreements{more}"
        case "choco" | "chocolatey":
            verb = "upgrade" if action == "install" else "uninstall"
            return f"choco {verb} {name} -y" + (f" --version {version} --allow-downgrade" if version else "")
        case "apt":
            wanted = f"{name}={version}" if version else name
            return f"apt-get -y {'install' if action == 'install' else 'remove'} -- {wanted}"
        case "brew":
            return f"brew {action} {name}"
        case _:
            return f"{manager} -y {'install' if action == 'install' else 'remove'} {name}" + (
                f"-{version}" if version else ""
            )
