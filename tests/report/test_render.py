"""Reports as HTML, Markdown, JSON and CSV, held against golden files; data never becomes markup.

IMMY_UPDATE_GOLDEN=1 writes the golden files anew: look at the difference before you commit it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from immy_nornir.errors import FilesError
from immy_nornir.history.tables.about import About, MachineRow
from immy_nornir.model.record.session import Status
from immy_nornir.report.build import build
from immy_nornir.report.document import document
from immy_nornir.report.model import Report
from immy_nornir.report.render import FORMATS, Format, render, render_for_customer
from immy_nornir.report.table import COLUMNS
from immy_nornir.report.table import cell as table_cell
from tests.report import rows

GOLDEN = Path(__file__).parent / "golden"
ENDINGS: dict[Format, str] = {"html": "html", "markdown": "md", "json": "json", "csv": "csv"}
NASTY = "<script>alert('x')</script> & \"quotes\" | **bold** `code` [a](b) {{ 7*7 }} {% raw %}"


ABOUT = About(
    {"software/7-zip": "7-Zip", "software/vpn": "Contoso VPN", "software/vlc": "VLC media player"},
    {"pc2": MachineRow("Windows 11 Pro 10.0.26100", "5CG1234XYZ", rows.BEGIN + 3)},
)


def everything(only: str = "") -> Report:
    sessions, jobs = rows.every_status()
    own = [one for one in sessions if only in ("", one.tenant)]
    return build(rows.RUN, own, jobs, generated_at=rows.BEGIN + 4000, only_tenant=only, about=ABOUT)


REPORTS: dict[str, Callable[[], Report]] = {
    "every_status": everything,
    "empty": lambda: build(rows.run(note="nothing matched"), [], generated_at=rows.BEGIN + 4000),
    "two_plays": lambda: build(
        rows.RUN,
        [rows.session("pc1", id="r-1", play="first"), rows.session("pc1", Status.FAILED, "x: y", id="r-2", play="2")],
        generated_at=rows.BEGIN + 4000,
        only_tenant="contoso",
    ),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_as_their_golden_files(name: str, form: Format) -> None:
    _as_golden(render(REPORTS[name](), form), name, form)


@pytest.mark.parametrize("form", FORMATS)
def test_customers_reports_are_as_their_golden_files(form: Format) -> None:
    _as_golden(render_for_customer(everything("contoso"), form), "customer", form)


def _as_golden(text: str, name: str, form: Format) -> None:
    file = GOLDEN / f"{name}.{ENDINGS[form]}"
    if os.environ.get("IMMY_UPDATE_GOLDEN") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode())
    assert text.encode() == file.read_bytes(), "IMMY_UPDATE_GOLDEN=1 writes it anew"


def test_the_formats_are_those_of_the_type() -> None:
    assert get_args(Format) == FORMATS == tuple(ENDINGS)


# --- what HTML may hold --------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def test_html_stands_alone_without_script_and_every_element_is_closed() -> None:
    parsed = _Tags(render(everything(), "html"))
    assert (parsed.wrong, parsed.open) == ([], [])
    assert not {tag for tag, _ in parsed.tags} & {"script", "link", "img", "iframe", "object", "form"}
    links = [attrs["href"] for tag, attrs in parsed.tags if tag == "a"]
    targets = {f"#{attrs['id']}" for _, attrs in parsed.tags if attrs.get("id")}
    assert links
    assert {link for link in links if link not in targets} == set()
    assert not [name for _, attrs in parsed.tags for name in attrs if name == "src" or name.startswith("on")]


def nasty(value: str = NASTY, only: str = "") -> Report:
    """A report with one text in every field that takes one."""
    action = rows.action(
        value,
        why=value,
        found=value,
        desired=value,
        after=value,
        version=value,
        deployment=value,
        message=value + "\nnext line",
        outcome="failed",
        outcome_reason=value,
    )
    job = rows.job(1, 1, value + "\n```\n</pre>", action_id=value)
    audit = rows.action("task/a", outcome="not_compliant", message=value)
    found = [
        rows.session(
            value,
            Status.FAILED,
            value,
            id=f"r-{number}",
            tenant=value,
            play=value,
            type=value,
            actions=(action, audit, rows.quiet(value, value)),
            reboot_reasons=((value, value),),
        )
        for number in (1, 2)
    ]
    about = About({value: value}, {value: MachineRow(value, value, 0.0)})
    run = rows.run(command=value, playbook=value, fleet=value, commit=value, user=value, machine=value, note=value)
    return build(run, found, {"r-1": [job]}, generated_at=0.0, only_tenant=only, about=about)


def test_data_never_becomes_html() -> None:
    text = render(nasty(), "html")
    parsed = _Tags(text)
    assert (parsed.wrong, parsed.open) == ([], [])
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in text
    assert "{{ 7*7 }}" in text


def test_data_never_becomes_markdown() -> None:
    text = render(nasty(), "markdown")
    outside = text.split("````")[0::2]  # the job's output stands in fences longer than its own
    assert len(outside) > 1
    for part in outside:
        assert "<script" not in part
        assert "**bold**" not in part
        assert "[a](b)" not in part
        assert " | **" not in part
    tables = [line for line in text.splitlines() if line.startswith("| ") and "failed" in line]
    head = next(line for line in text.splitlines() if line.startswith("| Computer |"))
    cells = [line.replace(r"\|", "").count("|") for line in tables if line.count("|") > 6]
    assert cells == [head.count("|")] * 2


def test_job_output_in_html_is_the_end_of_it() -> None:
    lines = "\n".join(f"line {one}" for one in range(1000))
    failed = rows.action("software/vpn", outcome="failed", outcome_reason="exit_code")
    report = build(
        rows.RUN,
        [rows.session("pc10", Status.FAILED, actions=(failed,))],
        {f"{rows.RUN.id}-pc10": [rows.job(1, 1, lines)]},
        generated_at=0.0,
    )
    html = render(report, "html")
    assert "line 999" in html
    assert "line 5\n" not in html
    assert len(html) < 40_000
    assert "line 5\\n" in render(report, "json")


def test_output_of_what_went_well_is_left_out_of_html() -> None:
    report = build(
        rows.RUN,
        [rows.session("pc10", actions=(rows.action("software/vpn"),))],
        {f"{rows.RUN.id}-pc10": [rows.job(1, 0, "all fine and long")]},
        generated_at=0.0,
    )
    assert "all fine and long" not in render(report, "html")


# --- JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_json_text_is_the_document(name: str) -> None:
    report = REPORTS[name]()
    assert json.loads(render(report, "json")) == json.loads(json.dumps(document(report)))


def test_json_holds_every_computer_action_and_output() -> None:
    found = json.loads(render(everything(), "json"))
    assert found["schema_version"] == 1
    sessions = [one for tenant in found["tenants"] for computer in tenant["computers"] for one in computer["sessions"]]
    assert len(sessions) == 11
    outputs = [job["output"] for one in sessions for action in one["actions"] for job in action["jobs"]]
    assert any("The specified account already exists." in output for output in outputs)


# --- CSV -----------------------------------------------------------------------------------------------------


def test_csv_has_a_row_for_each_action_and_for_each_session_without_one() -> None:
    report = everything()
    table = list(csv.DictReader(io.StringIO(render(report, "csv"), newline="")))
    bare = sum(not one.actions for tenant in report.tenants for pc in tenant.computers for one in pc.sessions)
    assert len(table) == report.totals.actions + bare
    assert {len(row) for row in table} == {len(COLUMNS)}
    failed = next(row for row in table if row["action"] == "software/vpn")
    assert (failed["computer"], failed["outcome"], failed["outcome_reason"]) == ("pc10", "failed", "exit_code")


def test_csv_cells_are_never_formulas_and_keep_their_lines() -> None:
    action = rows.action("task/a", message='=HYPERLINK("http://x")\n"second", line', found="-1", after="@SUM(A1)")
    report = build(rows.RUN, [rows.session("+pc", actions=(action,))], generated_at=0.0)
    row = next(csv.DictReader(io.StringIO(render(report, "csv"), newline="")))
    assert row["message"] == '\'=HYPERLINK("http://x")\n"second", line'
    assert (row["computer"], row["found"], row["after"]) == ("'+pc", "'-1", "'@SUM(A1)")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a-b+c=d@e", "a-b+c=d@e"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("  =1", "'  =1"),
        ("\u00a0\u200b=1", "'\u00a0\u200b=1"),
        ('"=1', "'\"=1"),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("a\t-1", "a\t'-1"),
    ],
)
def test_a_cell_is_neutral_wherever_a_spreadsheet_may_begin_one(text: str, cell: str) -> None:
    assert table_cell(text) == cell


# --- strangers' texts in every format ------------------------------------------------------------------------

HIDDEN = "".join(map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F)))
HIDDEN += "".join(map(chr, (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0xDCFF)))


@pytest.mark.parametrize("show", [render, render_for_customer])
@pytest.mark.parametrize("form", FORMATS)
def test_nothing_hidden_comes_through_in_any_format(form: Format, show: Callable[..., str]) -> None:
    value = f"a{HIDDEN}b\x1b]52;c;cm0=\x07 sec\x00ret"
    text = show(nasty(value, value if show is render_for_customer else ""), form)
    assert [one for one in text if one in HIDDEN] == []
    assert "secret" not in text
    assert r"\x1b" in text.replace("\\\\", "\\")
    text.encode()


LINKS = "see https://evil.example or www.evil.example, mail a@evil.example, @team, #12, ![x](http://evil.example) ~~~"


@pytest.mark.parametrize("show", [render, render_for_customer])
def test_markdown_holds_no_address_that_becomes_a_link_by_itself(show: Callable[..., str]) -> None:
    text = show(nasty(LINKS, LINKS if show is render_for_customer else ""), "markdown")
    for part in text.split("```")[0::2]:
        assert not [one for one in ("https://", "http://", "www.", "a@e", "@team", "#12", "![x]", "~~~") if one in part]
    assert r"https\://evil.example" in text


@pytest.mark.parametrize("value", [NASTY, LINKS, '</style><script>"'])
def test_a_customers_html_is_escaped_and_whole(value: str) -> None:
    parsed = _Tags(render_for_customer(nasty(value, value), "html"))
    assert (parsed.wrong, parsed.open) == ([], [])
    assert not {tag for tag, _ in parsed.tags} & {"script", "link", "img", "iframe", "a"}


def test_a_page_of_paper_shows_what_is_folded_and_names_the_run() -> None:
    text = render(everything(), "html")
    assert "details::details-content" in text
    assert '@bottom-left { content: "Run\\20 1nr9p2gq4x"' in text
    assert "counter(page)" in text
    assert '<tr class="onprint"><td colspan="12">Contoso, run 1nr9p2gq4x</td></tr>' in text
    assert "break-inside: avoid" not in text


# --- a fleet's own templates ---------------------------------------------------------------------------------


def test_a_fleets_own_template_extends_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text(
        '{% extends "immy/report.html.j2" %}{% block extra %}<p id="own">{{ report.run.user }}</p>{% endblock %}'
    )
    text = render(everything(), "html", templates_folder=tmp_path)
    assert '<p id="own">kim</p>' in text
    assert "Needs attention" in text


def test_a_fleets_own_markdown_is_escaped_too(tmp_path: Path) -> None:
    (tmp_path / "report.md.j2").write_text("{{ report.run.note }} {{ report.run.started_at|when }}")
    report = build(rows.run(note="*a*"), [], generated_at=0.0)
    assert render(report, "markdown", templates_folder=tmp_path) == r"\*a\* 23 Nov 2026, 05:20:00 UTC"


@pytest.mark.parametrize(
    ("template", "line", "what"),
    [
        ("ok\n{{ report.nothing }}", 2, "no attribute 'nothing'"),
        ("{{ missing }}", 1, "'missing' is undefined"),
        ("a\nb\n{% if %}", 3, "not readable"),
        ("a\n{{ report.__class__.__mro__ }}", 2, "unsafe"),
        ("a\n\n{{ report.totals.computers|nope }}", 3, "nope"),
        ("a\n{% include 'elsewhere.j2' %}", 2, "elsewhere.j2"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
    ],
)
def test_a_wrong_template_is_told_with_file_and_line(tmp_path: Path, template: str, line: int, what: str) -> None:
    (tmp_path / "report.html.j2").write_text(template)
    with pytest.raises(FilesError) as caught:
        render(everything(), "html", templates_folder=tmp_path)
    problem = caught.value.problems[0]
    assert what in problem.message
    assert Path(problem.place.file).name == "report.html.j2"
    assert problem.place.line == line
    assert problem.advice


def test_templates_read_nothing_outside_their_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hidden")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "report.html.j2").write_text("{% include '../secret.txt' %}")
    with pytest.raises(FilesError):
        render(everything(), "html", templates_folder=folder)


# --- report runs ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_thousand_computers_stay_folded_small_and_linear() -> None:
    seconds = {}
    for number in (1000, 10_000):
        sessions = rows.many(number)
        began = time.process_time()
        report = build(rows.RUN, sessions, generated_at=0.0)
        html = render(report, "html")
        seconds[number] = time.process_time() - began
    assert "<details open" not in html
    assert 'class="tenant" open' not in html
    assert html.count('class="card ') <= 25  # one for each tenant: all fail for the same reason
    assert len(html) < 3000 * 10_000
    assert len(render(report, "markdown")) < 100_000
    assert seconds[10_000] < 30 * seconds[1000]
