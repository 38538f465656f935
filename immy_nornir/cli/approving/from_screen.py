"""An order from the screen of whoever watches: why, a question, the answers; on the terminal's usual screen."""

from __future__ import annotations

import sys
from pathlib import Path

from immy_nornir.cli import options, startup
from immy_nornir.cli.approving.choice import Chosen, chosen_rows
from immy_nornir.cli.approving.orders import Wish, ask, lift, order
from immy_nornir.cli.door import say, say_error
from immy_nornir.errors import FilesError, ImmyError
from immy_nornir.model.control.orders import How, OrderKind


def order_from_screen(root: Path, state: Path, kind: OrderKind, name: str, chosen: Chosen) -> None:
    """Ask and order as `immy sessions cancel|pause|resume` do, and wait until the answers are read.

    What cannot be ordered is said, and Ctrl-C ends the question only.
    """
    try:
        _order(root, state, kind, name, chosen)
    except KeyboardInterrupt as stopped:
        if type(stopped) is not KeyboardInterrupt:  # the process is to end, not the question
            raise
        say("\nnothing more is ordered", err=True)
    except FilesError as error:
        for problem in error.problems:
            say_error(str(problem))
    except ImmyError as error:
        say_error(f"immy: {error.message}" + (f"\n      try: {error.advice}" if error.advice else ""))
    say("Enter goes back to the picture: ", err=True, nl=False)
    sys.stdin.readline()


def _order(root: Path, state: Path, kind: OrderKind, name: str, chosen: Chosen) -> None:
    from immy_nornir.history.queries import FILE, Reader

    with Reader(state / FILE) as reader:
        rows = chosen_rows(reader, chosen, kind)
    if not rows:
        say(f"{name}: no session that has not ended", err=True)
        return
    say(f"{kind}: {name}", err=True)
    say("Why (it stands in the record; Enter: no reason): ", err=True, nl=False)
    reason = sys.stdin.readline().strip()
    ask(kind, rows)
    wish = Wish(kind, How(), reason, True, options.ORDER_SECONDS, "text")
    if kind is not OrderKind.RESUME:
        order(root, state, chosen, wish)
        return
    _, left = lift(state, chosen, wish)
    if left:
        say(
            f"nobody is at {', '.join(left[:4])}: {startup.command(f'sessions resume {left[0]}')} takes it up", err=True
        )
