"""What jobs really do to this machine: packages, files, services, installers."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from immy_nornir.model.values import Json
from immy_nornir.model.wire import JobResult, JobSpec, JobState, Read, ReadOperation
from immy_nornir.remote import local
from immy_nornir.remote.posix.connection import PosixConnection
from tests.waiting import ENOUGH, turns

from .conftest import ROOT, RealClock, job, job_of, script

PACKAGE = "immy-test-hello"


def ended(connection: PosixConnection, spec: JobSpec) -> tuple[JobResult, str]:
    """What a job came to and put out, however long it takes."""
    status = connection.start_job(spec, 20)
    output = status.output
    for _ in turns("the job's end"):
        if status.state not in (JobState.STARTING, JobState.RUNNING):
            break
        status = connection.wait_job(spec.job_id, status.next_offset, 20)
        output += status.output
    assert status.state is JobState.FINISHED, status
    assert status.result is not None
    return status.result, output


def result(connection: PosixConnection, kind: str, work: dict[str, Json], **more: object) -> JobResult:
    return ended(connection, job_of(kind, work, **more))[0]


# --- declared resources -------------------------------------------------------------------------------------


def declare(connection: PosixConnection, *resources: dict[str, Json]) -> JobResult:
    return result(connection, "declare", {"resources": list(resources)})


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def test_a_declared_file_is_written_with_its_mode(each_shell: PosixConnection, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / 'it\'s "ü".conf'
    content = "a = 'b'\n$HOME `x` \\ ü\n\n"
    resource: dict[str, Json] = {"resource": "file", "path": str(path), "content": content, "mode": "0640"}
    done = declare(each_shell, resource)
    assert (done.exit_code, done.error) == (0, "")
    assert path.read_bytes() == content.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    after: Json = {"sha256": digest(content), "mode": "0640"}
    assert done.value == [{"name": f"file {path}", "before": None, "after": after}]
    when = path.stat().st_mtime_ns
    assert declare(each_shell, resource).value == [{"name": f"file {path}", "before": after, "after": after}]
    assert path.stat().st_mtime_ns == when
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("before", "more", "content", "mode"),
    [
        ("old", {"content": "new"}, "new", 0o604),
        ("old", {"content": "new", "mode": "755"}, "new", 0o755),
        ("old", {"mode": "0600"}, "old", 0o600),
        (None, {"content": "new"}, "new", 0o644),
        (None, {}, "", 0o644),
        ("old", {"content": ""}, "", 0o604),
        ("old", {"absent": True}, None, None),
        (None, {"absent": True}, None, None),
    ],
)
def test_declaring_files(
    connection: PosixConnection,
    tmp_path: Path,
    before: str | None,
    more: dict[str, Json],
    content: str | None,
    mode: int | None,
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_text(before)
        path.chmod(0o604)
    done = declare(connection, {"resource": "file", "path": str(path), **more})
    assert done.exit_code == 0
    assert (path.read_text() if path.exists() else None) == content
    assert (stat.S_IMODE(path.stat().st_mode) if path.exists() else None) == mode


def test_a_declared_link_stays_and_its_file_is_written(connection: PosixConnection, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    declare(connection, {"resource": "file", "path": str(tmp_path / "link"), "content": "new"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_one_resource_that_fails_does_not_hold_up_the_others(connection: PosixConnection, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    done = declare(
        connection,
        {"resource": "file", "path": str(tmp_path / "folder"), "content": "x"},
        {"resource": "service", "name": "no-such-service", "state": "running"},
        {"resource": "file", "path": str(tmp_path / "file"), "content": "x"},
    )
    assert done.exit_code == 1
    assert "it is a folder" in done.error
    assert "no service no-such-service" in done.error
    assert (tmp_path / "file").read_text() == "x"


INIT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: immy-test-service
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
flag=/run/immy-test-service
case $1 in
  start) touch $flag ;;
  stop) rm -f $flag ;;
  status) [ -e $flag ] || exit 3 ;;
esac
"""


@pytest.fixture
def init_service() -> Iterator[str]:
    """A service of init scripts."""
    if not ROOT or Path("/run/systemd/system").exists() or shutil.which("update-rc.d") is None:
        pytest.skip("needs root on a Debian whose services are init scripts")
    path = Path("/etc/init.d/immy-test-service")
    path.write_text(INIT)
    path.chmod(0o755)
    yield path.name
    path.unlink()
    subprocess.run(["update-rc.d", path.name, "remove"], check=True, capture_output=True, timeout=ENOUGH)
    Path("/run/immy-test-service").unlink(missing_ok=True)


def test_a_service_is_started_stopped_enabled_and_disabled(connection: PosixConnection, init_service: str) -> None:
    def seen() -> Json:
        operation = ReadOperation("s", Read.SERVICE, {"names": [init_service]})
        services = connection.read([operation])["s"].result
        assert isinstance(services, dict)
        return services[init_service]

    off: Json = {"state": "stopped", "startup": "disabled"}
    on: Json = {"state": "running", "startup": "automatic"}
    assert seen() == off
    for state, startup, before, after in (("running", "automatic", off, on), ("stopped", "disabled", on, off)):
        done = declare(connection, {"resource": "service", "name": init_service, "state": state, "startup": startup})
        assert (done.exit_code, done.error) == (0, "")
        assert done.value == [{"name": f"service {init_service}", "before": before, "after": after}]
        assert seen() == after


# --- packages -----------------------------------------------------------------------------------------------


def build(folder: Path, version: str) -> str:
    tree = folder / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share" / PACKAGE).mkdir(parents=True)
    (tree / "usr/share" / PACKAGE / "hello").write_text(f"hello {version}\n")
    control = {"Package": PACKAGE, "Version": version, "Architecture": "all", "Maintainer": "Immy <immy@example.com>"}
    lines = [f"{name}: {value}" for name, value in {**control, "Description": "a package of a test"}.items()]
    (tree / "DEBIAN/control").write_text("\n".join(lines) + "\n")
    deb = folder / f"{PACKAGE}_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", str(tree), str(deb)], check=True, capture_output=True, timeout=ENOUGH
    )
    return str(deb)


@pytest.fixture
def dpkg() -> Iterator[None]:
    if not ROOT or shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None:
        pytest.skip("needs root on a Debian")
    yield
    subprocess.run(["dpkg", "--purge", PACKAGE], check=False, capture_output=True, timeout=ENOUGH)


@pytest.mark.usefixtures("dpkg")
@pytest.mark.slow
def test_a_package_is_installed_upgraded_and_removed(connection: PosixConnection, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    first, second = build(tmp_path, "1.0-1"), build(tmp_path, "1.2-1")

    def seen(name: str) -> Json:
        operation = ReadOperation("p", Read.PACKAGES, {"manager": "apt", "names": [name]})
        packages = connection.read([operation])["p"].result
        assert isinstance(packages, dict)
        return packages[name]

    def act(action: str, name: str) -> Json:
        done = result(connection, "package", {"manager": "apt", "name": name, "action": action})
        assert (done.exit_code, done.error) == (0, ""), done
        return done.value

    assert seen(first) == {"installed": None, "candidate": "1.0-1"}
    assert act("install", first) == [{"name": f"package {first}", "before": None, "after": "1.0-1"}]
    assert Path(f"/usr/share/{PACKAGE}/hello").read_text() == "hello 1.0-1\n"
    assert stat.S_IMODE(Path(f"/usr/share/{PACKAGE}/hello").stat().st_mode) == 0o644
    assert seen(second) == {"installed": "1.0-1", "candidate": "1.2-1"}
    assert act("install", second) == [{"name": f"package {second}", "before": "1.0-1", "after": "1.2-1"}]
    software = connection.read([ReadOperation("s", Read.SOFTWARE)])["s"].result
    assert isinstance(software, list)
    (entry,) = (one for one in software if isinstance(one, dict) and one["name"] == PACKAGE)
    assert (entry["version"], entry["publisher"]) == ("1.2-1", "Immy <immy@example.com>")
    assert act("uninstall", PACKAGE) == [{"name": f"package {PACKAGE}", "before": "1.2-1", "after": None}]
    assert not Path(f"/usr/share/{PACKAGE}").exists()
    done = declare(connection, {"resource": "package", "manager": "apt", "name": first, "state": "present"})
    assert done.value == [{"name": f"package {first}", "before": None, "after": "1.0-1"}]
    # The quiet uninstall string of the enumeration is a command that works.
    command = entry["quiet_uninstall"]
    done = result(connection, "installer", {"uninstall": True, "command": command})
    assert (done.exit_code, done.error) == (0, "")
    assert seen(first) == {"installed": None, "candidate": "1.0-1"}


@pytest.mark.usefixtures("dpkg")
@pytest.mark.slow
def test_a_package_that_is_nowhere_fails_with_the_managers_exit_code(spool: Path, tmp_path: Path) -> None:
    # With no source there is no network to wait for.
    (tmp_path / "lists").mkdir()
    settings = {"Etc::SourceList": "/dev/null", "Etc::SourceParts": "/dev/null", "State::Lists": f"{tmp_path}/lists"}
    (tmp_path / "apt.conf").write_text("".join(f'Dir::{name} "{value}";\n' for name, value in settings.items()))
    here = local.LocalTransport(("env", f"APT_CONFIG={tmp_path}/apt.conf", "sh"))
    work: dict[str, Json] = {"manager": "apt", "name": "dpkg", "action": "install", "version": "0.0.no-such"}
    done, output = ended(PosixConnection(here, RealClock(), spool=str(spool)), job_of("package", work))
    assert done.exit_code == 100
    assert "0.0.no-such" in output


# --- installers ---------------------------------------------------------------------------------------------


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A folder behind http."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_an_installer_is_downloaded_checked_and_started(
    each_shell: PosixConnection, web: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = web
    text = f'#!/bin/sh\nprintf "[%s]" "$@" >{tmp_path / "seen"}\nexit 42\n'
    (folder / "setup.run").write_text(text)
    work: dict[str, Json] = {"url": f"{url}/setup.run?token=%22x%22", "sha256": digest(text).upper()}
    work |= {"file_name": "setup.run", "type": "exe", "arguments": "--quiet 'two words' \"a $b\""}
    done = result(each_shell, "installer", work)
    assert (done.exit_code, done.error) == (42, "")
    assert (tmp_path / "seen").read_text() == "[--quiet][two words][a $b]"


@pytest.mark.parametrize(
    ("path", "sha256", "says"),
    [("setup.run", "0" * 64, "sha256 is"), ("gone.run", None, "download failed"), ("file:///no/such", None, "copied")],
)
def test_an_installer_that_is_not_what_was_meant_is_not_started(
    connection: PosixConnection, web: tuple[str, Path], tmp_path: Path, path: str, sha256: str | None, says: str
) -> None:
    url, folder = web
    (folder / "setup.run").write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    where = path if ":" in path else f"{url}/{path}"
    done = result(connection, "installer", {"url": where, "sha256": sha256, "type": "exe"})
    assert done.exit_code is None
    assert says in done.error
    assert not (tmp_path / "ran").exists()


def test_a_script_replaces_starting_the_installer(connection: PosixConnection, tmp_path: Path) -> None:
    (tmp_path / "a file.bin").write_bytes(b"\0bytes")
    work: dict[str, Json] = {"url": f"file://{tmp_path}/a%20file.bin", "file_name": "a.bin", "type": "exe"}
    text = 'wc -c <"$IMMY_INSTALLER"; basename "$IMMY_INSTALLER"; echo "$IMMY_KEY"; exit 9'
    spec = job_of("installer", {**work, "script": text, "language": "sh", "params": {"key": "ü"}})
    done, output = ended(connection, spec)
    assert output.split() == ["6", "a.bin", "ü"]
    assert done.exit_code == 9


def test_an_installer_without_a_first_line_is_a_script_of_sh(connection: PosixConnection, tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text('echo "got $1"; exit 4')
    work: dict[str, Json] = {"url": f"file://{tmp_path}/install.sh", "type": "script", "arguments": "x"}
    done, output = ended(connection, job_of("installer", work))
    assert output == "got x\n"
    assert done.exit_code == 4


# --- users --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not ROOT or shutil.which("runuser") is None, reason="needs root and runuser")
def test_a_job_of_a_user_runs_as_that_user(connection: PosixConnection) -> None:
    text = 'id -un; echo "$HOME"; echo "$IMMY_WORD-$IMMY_HIDDEN"; exit 6'
    done, output = ended(
        connection,
        job(text, context="user:nobody", params={"word": "it's"}, secrets={"hidden": "s"}, deadline_seconds=ENOUGH),
    )
    home = connection.read([script("echo ~nobody")])["s"].result
    assert output == f"nobody\n{home}\nit's-s\n"
    assert done.exit_code == 6


def test_a_job_of_a_user_who_is_not_there_runs_as_nobody_else(connection: PosixConnection) -> None:
    done, output = ended(connection, job("echo ran", context="user:no-such-user"))
    assert (done.exit_code, output) == (None, "")
    assert "no-such-user" in done.error
