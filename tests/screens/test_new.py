"""`immy new`: what it writes lints clean beside a real fleet, and nothing that is there is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from immy_nornir.cli.commands.files.init import FOLDERS, sample_root
from immy_nornir.cli.commands.files.lint import problems_of
from immy_nornir.cli.main import immy
from immy_nornir.errors import UsageError
from immy_nornir.fleet.load import load_fleet
from immy_nornir.model.items import Task
from immy_nornir.model.places import Level


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FOLDERS:
        shutil.copytree(sample_root() / name, tmp_path / name)
    return tmp_path


def run(root: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    result = CliRunner().invoke(immy, ["new", *arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception


@pytest.mark.parametrize("platform", ["windows", "linux", "macos"])
@pytest.mark.parametrize("kind", ["software", "task"])
def test_a_skeleton_lints_clean_deployed_too(
    root: Path, kind: str, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root, kind, "acme_agent", "--platform", platform, monkeypatch=monkeypatch)
    wish = "state: latest" if kind == "software" else "mode: enforce"
    rule = f"- {{item: {kind}/acme_agent, target: all, {wish}}}\n"
    (root / "playbooks" / "deployments" / "new.yml").write_text(rule)
    assert [str(one) for one in problems_of(root) if one.level is not Level.NOTE] == []
    fleet, _ = load_fleet(root)
    (item,) = fleet.library.items[f"{kind}/acme_agent"].values()
    assert item.platform == platform
    assert not isinstance(item, Task) or item.parameters


def test_what_is_there_is_left_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (root / "tasks/software/7zip/software.yml").read_text()
    with pytest.raises(UsageError, match="is there already; nothing was written"):
        run(root, "software", "7zip", monkeypatch=monkeypatch)
    assert (root / "tasks/software/7zip/software.yml").read_text() == before
    (root / "tasks/maintenance/away").symlink_to(root / "nowhere")
    with pytest.raises(UsageError, match="is there already"):
        run(root, "task", "away", monkeypatch=monkeypatch)


@pytest.mark.parametrize(
    ("name", "near"),
    [("Acme Agent", "acme_agent"), ("../up", "up"), ("", ""), ("software/acme", "acme"), ("a/../../b", "b"), ("ä", "")],
)
def test_a_name_is_one_that_a_folder_and_a_deployment_can_have(
    root: Path, name: str, near: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is no name") as raised:
        run(root, "task", name, monkeypatch=monkeypatch)
    assert raised.value.advice == (f"did you mean '{near}'?" if near else "")
    assert not (root.parent / "up").exists()


def test_elsewhere_than_in_a_fleet_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="is no fleet's folder"):
        run(tmp_path, "software", "acme", monkeypatch=monkeypatch)
    assert list(tmp_path.iterdir()) == []
