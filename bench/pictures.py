"""`python -m bench.pictures`: the pictures of docs/screens.md, of what immy really draws on the sample fleet.

Needs, beside immy: tmux (a terminal that can be looked at), chromium, pdftoppm and pngquant; Debian has all of them.
Takes five minutes.
"""

from __future__ import annotations

import getpass
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
_IMMY = Path(sys.executable).with_name("immy")
_SIZES = {80: 28, 120: 34, 160: 40}
_RUNS = (80, 120)
"""Columns at which the live picture of a run is drawn."""
_WATCHED = {"watch-80": (80, "watch"), "watch-160": (160, "watch sd-laptop-1")}
"""Pictures of watching a run: their columns, and the command."""
_OVER = "[all is drawn]"
_PAGES = {"operator": (1, 3), "customer": (1, 2)}
"""The pages in print that are shown."""
_TENANT = "smile_dental"
_LONGEST = 300.0
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Make all pictures, in place of those that are there."""
    missing = [one for one in ("tmux", "chromium", "pdftoppm", "pngquant") if not shutil.which(one)]
    if missing:
        sys.exit(f"pictures need {', '.join(missing)}: apt-get install tmux chromium poppler-utils pngquant")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fleets = {columns: Path(folder) / f"fleet-{columns}" for columns in _RUNS}
        for fleet in fleets.values():
            _do(_IMMY, "init", fleet)
        _screens(fleets)
        _reports(fleets[120], Path(folder))
    for one in sorted(PICTURES.iterdir()):
        print(f"{one.stat().st_size / 1000:6.0f} kB  {one.name}")


def _do(*words: str | Path) -> str:
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout


# --- the terminal ---------------------------------------------------------------------------------------------


def _screens(fleets: dict[int, Path]) -> None:
    """The live picture in the middle of a run, and what one looks at afterwards, on terminals of two widths."""
    tmux = ("tmux", "-L", f"immy-pictures-{time.time_ns()}", "-f", "/dev/null")
    try:
        for columns, fleet in fleets.items():
            _open(tmux, f"run-{columns}", columns, fleet, "immy demo")  # one after the other: a lab has its ports alone
            beside = _WATCHED if columns == _RUNS[0] else {}
            for name, (width, what) in beside.items():  # from other shells, as soon as there is something to be seen
                there = f"until immy {what} --once >/dev/null 2>&1; do sleep 1; done"
                _open(tmux, name, width, fleet, f"{there}; immy {what}")
            frames, others = _watch(tmux, f"run-{columns}", *beside)
            for name, (width, what) in beside.items():
                best = max(others[name], key=_worth if what == "watch" else _rich)
                _draw(best, width, PICTURES / f"{name}.svg", f"immy {what}")
            _draw(max(frames, key=_worth), columns, PICTURES / f"run-{columns}.svg", "immy run playbooks/full.yml")
        for command, name in (("sessions list --run last -n 8", "list"), ("sessions show sd-laptop-1", "show")):
            _open(tmux, name, 120, fleets[120], f"immy {command} | head -n 26")
            _draw(_watch(tmux, name)[0][-1], 120, PICTURES / f"{name}-120.svg", f"immy {command}")
    finally:
        _do(*tmux, "kill-server")


def _rich(screen: str) -> tuple[bool, int]:
    """How much there is to be seen of one computer."""
    text = _plain(screen)
    return "under way" in text and "q quit" in text, len(text.split())


def _open(tmux: tuple[str, ...], name: str, columns: int, fleet: Path, command: str) -> None:
    shell = f"cd {fleet} && export PATH={_IMMY.parent}:$PATH; {command}; echo '{_OVER}'; sleep 1000"
    _do(*tmux, "new-session", "-d", "-s", name, "-x", str(columns), "-y", str(_SIZES[columns]), shell)


def _watch(tmux: tuple[str, ...], name: str, *beside: str) -> tuple[list[str], dict[str, list[str]]]:
    """What a terminal showed, second by second, until its command had ended, and what others beside it did."""
    frames: list[str] = []
    others: dict[str, list[str]] = {one: [] for one in beside}
    began = time.monotonic()
    while time.monotonic() - began < _LONGEST:
        time.sleep(0.5)
        for one, seen in (*others.items(), (name, frames)):
            seen.append(_do(*tmux, "capture-pane", "-p", "-e", "-t", one))
        if _OVER in _plain(frames[-1]):
            break
    return frames, others


def _worth(screen: str) -> tuple[bool, int]:
    """How much there is to be seen of the live picture."""
    text = _plain(screen)
    return " left" in text and "wave " in text, len({line[24:] for line in text.splitlines()})


def _plain(screen: str) -> str:
    return Text.from_ansi(screen).plain


def _draw(screen: str, columns: int, target: Path, title: str) -> None:
    """A screen as SVG, in the reader's own fonts: pictures fetch nothing."""
    text = Text.from_ansi(screen.partition(_OVER)[0].rstrip())
    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True)
    console.print(text, soft_wrap=False)
    svg = console.export_svg(title=title, unique_id=target.stem)
    svg = _FONTS.sub("", svg).replace("Fira Code", "DejaVu Sans Mono")
    target.write_text(svg.replace(f"{platform.node()}-", "desk-"), "utf-8")


# --- reports --------------------------------------------------------------------------------------------------


def _reports(fleet: Path, folder: Path) -> None:
    for audience, more in (("operator", ()), ("customer", ("--tenant", _TENANT))):
        page = folder / f"{audience}.html"
        _do(_IMMY, "-C", fleet, "report", "--for", audience, *more, "-o", page)
        page.write_text(_elsewhere(page.read_text("utf-8"), fleet), "utf-8")
        shot = PICTURES / f"{audience}.png"
        _chromium(f"--screenshot={shot}", "--window-size=1100,1400", page.as_uri())
        _shrink(shot)
        pdf = folder / f"{audience}.pdf"
        _chromium(f"--print-to-pdf={pdf}", "--no-pdf-header-footer", page.as_uri())
        for number, page_number in enumerate(_PAGES[audience], 1):
            target = PICTURES / f"{audience}-print-{number}"
            _do("pdftoppm", "-png", "-r", "70", "-singlefile", "-f", str(page_number), pdf, target)
            _shrink(target.with_name(f"{target.name}.png"))


def _elsewhere(text: str, fleet: Path) -> str:
    """The same as somebody's who works in his own folder: where it was made is nobody's business."""
    made_by = f"{getpass.getuser()} on {platform.node()}"
    return text.replace(str(fleet), "~/fleet").replace(made_by, "ana on desk").replace(platform.node(), "desk")


def _chromium(*words: str) -> None:
    _do("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *words)


def _shrink(picture: Path) -> None:
    _do("pngquant", "--force", "--ext", ".png", "64", picture)


if __name__ == "__main__":
    main()
