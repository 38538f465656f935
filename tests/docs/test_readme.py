"""What the README and the other pages show is what happens."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from immy_nornir.cli.main import COMMANDS, immy
from immy_nornir.cli.main import run as run_immy
from tests import warm
from tests.docs.blocks import HANDBOOK, PAGES, ROOT, Block, blocks, missing, shown
from tests.waiting import ENOUGH

README = ROOT / "README.md"
_ALONE = [page for page in PAGES if page.parent != HANDBOOK]
"""Pages whose commands and files stand for themselves; the handbook's follow one another (test_handbook.py)."""
_CONSOLE = [block for page in _ALONE for block in blocks(page, "console")]


def call(command: str, folder: Path) -> tuple[int, str]:
    """Exit code and both outputs of a command line of immy."""
    words = shlex.split(command)
    assert words[0] == "immy", command
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with warm.Popen([*warm.IMMY, *words[1:]], cwd=folder, text=True, **streams) as process:
        try:
            printed = process.communicate(timeout=ENOUGH)[0]
        except BaseException:
            process.kill()
            raise
    return process.returncode, printed


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in _CONSOLE}), ids=lambda page: page.name)
def test_commands_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    folder = tmp_path
    for block in blocks(page, "console"):
        for one in shown(block):
            if one.command.startswith("make "):
                continue
            if one.command.startswith("cd "):
                folder /= one.command[3:]
                continue
            code, printed = call(one.command, folder)
            gap = missing(one.lines, printed)
            assert not gap, f"{block.name}: {one.command} does not print: {gap}\nbut:\n{printed}"
            assert code == 0, f"{block.name}: {one.command} ends with {code}"


@pytest.mark.slow
def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    assert call(f"immy init {folder}", tmp_path)[0] == 0
    (one,) = [one for block in blocks(README, "console") for one in shown(block) if one.command == "make demo"]
    code, printed = call("immy demo", folder)
    assert code == 0
    # Sessions run at the same time: lines about them may come in any order.
    lines = {line for line in one.lines if not re.match(r"\d\d:\d\d:\d\d |\s+[a-z]+-[a-z]+-\d+: ", line)}
    gap = missing(tuple(line for line in one.lines if line in lines), printed)
    assert not gap, f"not printed: {gap}\nbut:\n{printed[-3000:]}"
    for line in one.lines:
        if line not in lines:
            assert not missing(("...", line, "..."), printed), line
    assert _counts(printed) == _counts("\n".join(one.lines))


def _counts(text: str) -> list[str]:
    """What became of the computers; every demo ends alike."""
    return re.findall(r": (24 computers: .*)", text)[-1:]


def test_make_demo_and_make_test_do_what_the_readme_says() -> None:
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    plan = {
        target: subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True, timeout=ENOUGH
        ).stdout.splitlines()
        for target in ("demo", "test")
    }
    assert any(line.endswith("immy demo") for line in plan["demo"])
    wanted = ["ruff check", "ruff format --check", "mypy", "mypy --platform win32", "pytest"]
    lines = iter(plan["test"])
    assert [word for word in wanted if any(word in line for line in lines)] == wanted


def test_exit_codes_are_those_of_the_command_line() -> None:
    text = README.read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE))
    help_text = " ".join((immy.help or "").split())
    assert list(table) == re.findall(r"(?:: |; )(\d+) ", help_text.partition("Exit codes")[2])
    for code, meaning in re.findall(r"(?:: |; )(\d+) ([^;.]+)", help_text.partition("Exit codes")[2]):
        said = set(re.findall(r"\w{3,}", meaning)) - {"only", "immy"}
        assert said & set(re.findall(r"\w{3,}", table[code])), (code, meaning)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["lint"], 2),
        (["nonsense"], 2),
        (["run"], 2),
        (["run", "--on", "localhost", "--check", "--no-report"], 0),
        (["run", "--on", "localhost", "--check", "--no-report", "--item", "task/note"], 4),
    ],
)
def test_exit_codes_in_practice(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "here.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    task = tmp_path / "tasks" / "maintenance" / "note" / "task.yml"
    task.parent.mkdir(parents=True)
    task.write_text(f"platforms: [linux, macos]\nfile: {{path: {tmp_path}/note, content: hello}}\n")
    rule = tmp_path / "playbooks" / "deployments" / "all.yml"
    rule.parent.mkdir(parents=True)
    rule.write_text("- {item: task/note, target: localhost, enforcement: optional}\n")
    if arguments == ["lint"]:
        rule.write_text("- {item: task/nothing}\n")
    monkeypatch.chdir(tmp_path)
    assert run_immy(arguments) == code


def test_command_lines_in_the_docs_are_understood() -> None:
    wrong = []
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.text.splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == "immy" and (why := _not_understood(words[1:])):
                    wrong.append(f"{block.name}: {line}: {why}")
    assert wrong == []


def _not_understood(words: list[str]) -> str:
    """Parse a command line without running it; what click says against it."""
    command: click.Command = immy
    rest, name = list(words), "immy"
    try:
        while True:
            context = click.Context(command, info_name=name)
            parser = command.make_parser(context)
            parser.allow_interspersed_args = not isinstance(command, click.Group)
            _, rest, _ = parser.parse_args(rest)
            if not isinstance(command, click.Group):
                return ""
            known = command.get_command(context, rest[0])
            if known is None:
                return f"there is no command {rest[0]}"
            name, rest, command = rest[0], rest[1:], known
    except click.ClickException as error:
        return error.format_message()


@pytest.mark.slow
def test_files_in_the_docs_are_a_fleet_without_errors(tmp_path: Path) -> None:
    examples = {page: blocks(page, "yaml") for page in _ALONE}
    for page, found in examples.items():
        if not found:
            continue
        folder = tmp_path / page.stem
        assert call(f"immy init {folder}", tmp_path)[0] == 0
        shutil.rmtree(folder / "playbooks")
        shutil.rmtree(folder / "inventory")
        for block in found:
            _write(block, folder)
        code, printed = call("immy lint", folder)
        assert code == 0, f"{page.name}: {printed}"


def _write(block: Block, folder: Path) -> None:
    first, _, _ = block.text.partition("\n")
    name = re.fullmatch(r"# ([\w./-]+\.yml)", first)
    assert name, f"{block.name}: the first line names the file, as '# playbooks/weekly.yml'"
    path = folder / name[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def test_code_blocks_have_a_kind_that_is_checked() -> None:
    kinds = {"console", "sh", "yaml", "text"}
    assert [block.name for page in PAGES for block in blocks(page) if block.kind not in kinds] == []


def test_links_lead_somewhere() -> None:
    wrong = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"https?:", target):
                continue
            file, _, anchor = target.partition("#")
            path = (page.parent / file).resolve() if file else page
            if not path.exists():
                wrong.append(f"{page.name}: {target}")
            elif anchor and anchor not in _anchors(path):
                wrong.append(f"{page.name}: {target}: there is no such heading")
    assert wrong == []


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_commands_that_the_readme_names_exist() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"`immy ([a-z]+)", text))
    assert named <= set(COMMANDS)


def test_files_and_names_that_the_guides_name_exist() -> None:
    """A path names a file of the project, also in a command; a name stands in one of the files of its paragraph."""
    wrong = []
    for page in (ROOT / "CONTRIBUTING.md", ROOT / "docs" / "ARCHITECTURE.md", *(ROOT / "docs" / "decisions").glob("*")):
        for paragraph in re.split(r"\n(?=\d+\. |\n|\* )", page.read_text(encoding="utf-8")):
            named = re.findall(r"`([^`\n]+)`", paragraph)
            paths = [path for one in named if (path := _path(one))]
            words = [word for one in named for word in one.split()]
            wrong += [f"{page.name}: {one}" for one in words if _looks_like_path(one) and not _path(one)]
            if page.name == "CONTRIBUTING.md":
                text = " ".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())
                wrong += [
                    f"{page.name}: {one} is in none of {[path.name for path in paths]}"
                    for one in named
                    if text
                    and re.fullmatch(r"_?[A-Z][A-Za-z]+|_[a-zA-Z_]+|[A-Z_]{4,}|Set-\w+", one)
                    and one not in text
                ]
    assert wrong == []


def _looks_like_path(text: str) -> bool:
    return re.fullmatch(r"[\w./-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|ps1|sh)", text) is not None


def _path(text: str) -> Path | None:
    """A path as pages write it: from the root of the project or of the package; what sessions write has none."""
    if not _looks_like_path(text):
        return None
    return next((path for base in (ROOT, ROOT / "immy_nornir") if (path := base / text).exists()), None)


def test_decisions_are_numbered_and_short() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        lines = page.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {int(page.name[:4])}. "), page.name
        assert len(lines) <= 20, page.name
