"""The computer that immy runs on: a true inventory, and a real package and file brought to their state and back."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import Fleet
from tests.waiting import ENOUGH

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the operator's machine is Windows: local is POSIX only"),
]
FOLDERS = ("inventory", "playbooks", "tasks")
PACKAGE = "immy-e2e-probe"
HERE = {"ansible_connection": "local", "immy_spool": "/tmp/immy-e2e-this-computer"}


@pytest.fixture
def sample(root: Path, tmp_path: Path) -> Fleet:
    """A copy of the sample."""
    for name in FOLDERS:
        shutil.copytree(root / name, tmp_path / name)
    return Fleet(tmp_path)


def _facts(fleet: Fleet) -> dict[str, Any]:
    from immy_nornir.history.queries import Reader

    with Reader(fleet.root / ".immy" / "history.db") as reader:
        return dict(reader.facts("localhost").values)


def test_the_samples_playbook_audits_this_computer_and_writes_nothing_unasked(sample: Fleet) -> None:
    run = sample.run("playbooks/this_computer.yml", "--on", "localhost")
    assert run.done.code == 0, run.done
    assert run.outcomes("localhost") == {"task/disk_space": ("audit", "nothing", "audit")}
    facts = _facts(sample)
    assert facts["system"]["name"].partition(".")[0].lower() == platform.node().partition(".")[0].lower()
    assert facts["system"]["architecture"] in ("x64", "arm64", "x86")
    assert facts["hardware"]["cores"] == os.cpu_count()
    if sys.platform != "win32":
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        assert facts["hardware"]["memory_gb"] == pytest.approx(pages, rel=0.05)


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg here")
def test_the_inventory_lists_the_software_that_dpkg_lists(sample: Fleet) -> None:
    assert sample.run("--on", "localhost", "--type", "inventory").status("localhost") == "passed"
    asked = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\n"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=ENOUGH).stdout.splitlines()
    there = {(name, version) for mark, name, version in (line.split("\t") for line in lines) if mark.startswith("ii")}
    found = {(row["name"], row["version"]) for row in _facts(sample)["software"]}
    assert there <= found, sorted(there - found)[:5]
    with sqlite3.connect(sample.root / ".immy" / "history.db") as history:
        assert history.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


# --- a real package -------------------------------------------------------------------------------------------

needs_dpkg = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("dpkg-deb") is None or os.geteuid() != 0,
    reason="installs a Debian package of its own: root and dpkg only",
)


def _deb(folder: Path, version: str) -> Path:
    source = folder / f"source-{version}"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "usr/share/immy-e2e").mkdir(parents=True)
    (source / "usr/share/immy-e2e/version").write_text(f"{version}\n")
    (source / "DEBIAN/control").write_text(
        f"Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n"
        "Description: a probe of immy's tests\n"
    )
    file = folder / f"{PACKAGE}_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(source), str(file)],
        check=True,
        capture_output=True,
        timeout=ENOUGH,
    )
    return file


def _installed() -> str | None:
    asked = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}", PACKAGE]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=ENOUGH)
    state, _, version = done.stdout.partition(" ")
    return version.strip() if done.returncode == 0 and state.startswith("ii") else None


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Fleet]:
    """A fleet of this computer alone, with two versions of a package and a configuration file."""
    fleet = Fleet(tmp_path / "fleet")
    debs = {version: _deb(tmp_path, version) for version in ("1.0", "2.0")}
    fleet.write("inventory/here.yml", {"all": {"hosts": {"localhost": HERE}}})
    fleet.write(
        "tasks/software/probe/software.yml",
        {
            "title": "Probe",
            "platform": "linux",
            "detect": {"package": {"manager": "apt", "name": PACKAGE}},
            "install": {"script": "install.sh"},
            "uninstall": {"script": "uninstall.sh"},
            "configuration": "task/probe_settings",
            "parameters": {"greeting": {"type": "text", "default": "hello"}},
        },
    )
    fleet.write(
        "tasks/software/probe/install.sh",
        'version=$(echo "$IMMY_RELEASE" | sed \'s/.*"version": *"\\([^"]*\\)".*/\\1/\')\n'
        f'dpkg -i "{tmp_path}/{PACKAGE}_${{version}}_all.deb"\n',
    )
    fleet.write("tasks/software/probe/uninstall.sh", f"dpkg -r {PACKAGE}\n")
    fleet.write(
        "tasks/maintenance/probe_settings/task.yml",
        {
            "platform": "linux",
            "parameters": {"greeting": {"type": "text", "required": True}},
            "file": {
                "path": str(tmp_path / "probe.conf"),
                "content": "greeting={{ params.greeting }}\n",
                "mode": "0640",
            },
        },
    )
    fleet.write("playbooks/all.yml", [{"name": "all", "hosts": "localhost"}])
    assert len(debs) == 2
    yield fleet
    subprocess.run(["dpkg", "--purge", PACKAGE], capture_output=True, check=False, timeout=ENOUGH)


def _deploy(fleet: Fleet, state: str, greeting: str = "hello") -> None:
    fleet.write(
        "playbooks/deployments/probe.yml",
        [{"item": "software/probe", "target": "localhost", "state": state, "params": {"greeting": greeting}}],
    )


@needs_dpkg
def test_a_real_package_and_its_configuration_go_to_their_state_and_back(own: Fleet, tmp_path: Path) -> None:
    settings = tmp_path / "probe.conf"
    assert _installed() is None

    _deploy(own, "1.0")
    run = own.run("playbooks/all.yml")
    assert run.status("localhost") == "passed", run.reason("localhost")
    assert _installed() == "1.0"
    assert settings.read_text() == "greeting=hello\n"
    assert settings.stat().st_mode & 0o777 == 0o640

    _deploy(own, "2.0", "good morning")
    run = own.run("playbooks/all.yml")
    assert run.outcomes("localhost")["software/probe"] == ("update", "success", "verified")
    assert _installed() == "2.0"
    assert settings.read_text() == "greeting=good morning\n"

    settings.write_text("greeting=changed by hand\n")
    run = own.run("playbooks/all.yml")
    assert run.outcomes("localhost")["software/probe"] == ("none", "nothing", "already_so")
    assert run.outcomes("localhost")["task/probe_settings"] == ("enforce", "success", "verified")
    assert settings.read_text() == "greeting=good morning\n"

    _deploy(own, "1.0", "good morning")
    assert own.run("playbooks/all.yml").outcomes("localhost")["software/probe"] == ("downgrade", "success", "verified")
    assert _installed() == "1.0"

    _deploy(own, "absent")
    run = own.run("playbooks/all.yml")
    assert run.outcomes("localhost")["software/probe"] == ("uninstall", "success", "verified")
    assert _installed() is None


@needs_dpkg
def test_an_install_script_that_fails_is_a_recorded_failure_with_its_output(own: Fleet) -> None:
    own.write("tasks/software/probe/install.sh", "echo the mirror is down >&2\nexit 3\n")
    _deploy(own, "1.0")
    run = own.run("playbooks/all.yml")
    assert run.done.code == 1
    assert run.outcomes("localhost")["software/probe"] == ("install", "failed", "exit_code")
    assert "the mirror is down" in run.session("localhost")["jobs"][-1]["output"]
    assert _installed() is None
