"""A Git ref -> a folder that holds the newest commit of it whose files are sound, and whether the ref says FREEZE.

Commits are checked out into folders of their own below the state folder; which of them is served is one symbolic link,
that is replaced in one step while nobody reads the fleet. A thread of its own fetches, so that a remote that is away
holds up nothing. The operator's own checkout is never touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from immy_nornir.children import GitError, git, git_or_raise
from immy_nornir.errors import UsageError
from immy_nornir.history.own_files import make_folder

if TYPE_CHECKING:
    from immy_nornir.model.protocols import Clock

FETCH_SECONDS = 20.0
"""How often the ref is fetched: FREEZE is obeyed within a minute, whatever else is at work."""
_PATIENCE_SECONDS = 60.0
_AGAIN_SECONDS = 60.0
"""A commit that could not be checked out, for want of space for instance, is tried again after so long."""
FREEZE = "FREEZE"


@dataclass(slots=True)
class Served:
    """Used by one thread, but for the fetching."""

    repository: Path
    ref: str
    folder: Path
    """In the state folder."""
    check: Callable[[Path], str]
    """Why a checked out fleet cannot be served, as one sentence; empty when it can."""
    clock: Clock
    say: Callable[[str], None]
    hold: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    """Entered while the served folder changes: nobody reads the fleet then."""
    commit: str = ""
    """What is served."""
    problem: str = ""
    """Why something else is served than the ref says."""
    _newest: str = ""
    _refused: str = ""
    """The commit that was looked at last and cannot be served."""
    _again_at: float = -math.inf
    """When what failed for another reason than its files is tried again."""
    _frozen: str = ""
    _fetch_problem: str = ""
    _thread: threading.Thread | None = field(default=None)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def root(self) -> Path:
        """The fleet that is served: a link, whose target changes."""
        return self.folder / "fleet"

    @property
    def problems(self) -> list[str]:
        """What an operator has to know of it."""
        return [one for one in (self.problem, self._fetch_problem) if one]

    def frozen(self) -> str:
        """Why nothing may be changed, by the newest commit of the ref, whether its files are sound or not."""
        return self._frozen

    def begin(self) -> None:
        """Fetch once and serve; raises UsageError where there is nothing that can be served."""
        make_folder(self.folder, inside=True)
        if not git(self.repository, "rev-parse", "--git-dir"):
            raise UsageError(f"{self.repository} is no Git repository", "give --ref in a clone of the fleet")
        self._fetch()
        kept = git(self.root, "rev-parse", "HEAD") if self.root.is_dir() else ""
        if not self._newest and not kept:
            raise UsageError(f"{self.ref} cannot be served: {self._fetch_problem}", "such as --ref origin/main")
        self.commit = kept
        self.look()
        if not self.commit:
            raise UsageError(f"{self.ref} cannot be served: {self.problem}", "immy lint shows everything that is wrong")

    def start(self) -> None:
        """Fetch again and again from now on."""
        self._thread = threading.Thread(target=self._work, name="immy-fetch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Fetch no more."""
        self._over.set()

    def look(self) -> None:
        """Switch to the newest commit where it is sound; else the last good one stays, which is said."""
        newest = self._newest
        if not newest or newest in (self.commit, self._refused) or self.clock.monotonic() < self._again_at:
            return
        try:
            why = self._switch(newest)
        except (OSError, GitError) as error:
            why, self._again_at = str(error), self.clock.monotonic() + _AGAIN_SECONDS
            with contextlib.suppress(OSError):
                self._remove(self.folder / newest[:12])
        else:
            self._refused = newest if why else ""
        if why:
            kept = f"; {self.commit[:12]} is served on" if self.commit else ""
            before, self.problem = self.problem, f"{self.ref} is at {newest[:12]}, which cannot be served: {why}{kept}"
            if self.problem != before:
                self.say(self.problem)

    def _switch(self, commit: str) -> str:
        folder = self.folder / commit[:12]
        if folder.is_dir() and not self._is_whole(folder, commit):
            self._remove(folder)
        if not folder.is_dir():
            git_or_raise(
                self.repository,
                "worktree",
                "add",
                "--detach",
                "--force",
                str(folder),
                commit,
                seconds=_PATIENCE_SECONDS,
            )
        why = self.check(folder)
        if why:
            self._remove(folder)
            return why
        link = self.folder / "fleet.new"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name, target_is_directory=True)
        with self.hold():
            link.replace(self.root)
        before, self.commit, self.problem, self._refused = self.commit, commit, "", ""
        self.say(f"serves {self.ref} at {commit[:12]}{f', after {before[:12]}' if before else ''}")
        for other in self.folder.iterdir():
            if other.is_dir() and not other.is_symlink() and other.name not in (commit[:12], before[:12]):
                self._remove(other)
        return ""

    def _is_whole(self, folder: Path, commit: str) -> bool:
        """Whether a folder holds all of a commit: whoever made it may have been killed in the middle."""
        try:
            found = git_or_raise(folder, "rev-parse", "--show-toplevel", "HEAD").splitlines()
            changed = git_or_raise(folder, "status", "--porcelain", "--untracked-files=no", seconds=_PATIENCE_SECONDS)
        except GitError:
            return False
        return len(found) == 2 and Path(found[0]).resolve() == folder.resolve() and found[1] == commit and not changed

    @property
    def _ours(self) -> str:
        """Where the ref is fetched to: another service may serve another ref out of the same clone."""
        about = f"{self.folder}\0{self.ref}".encode("utf-8", "surrogateescape")
        return f"refs/immy/served-{hashlib.blake2b(about, digest_size=6).hexdigest()}"

    def _remove(self, folder: Path) -> None:
        git(self.repository, "worktree", "remove", "--force", str(folder))
        shutil.rmtree(folder, ignore_errors=True)
        git(self.repository, "worktree", "prune")

    # --- fetching ---

    def _work(self) -> None:
        while not self._over.wait(FETCH_SECONDS):
            self._fetch()

    def _fetch(self) -> None:
        try:
            newest = self._resolved()
            frozen = self._freeze_of(newest)
        except GitError as error:
            self._fetch_problem = f"{self.ref} cannot be fetched: {error.message}"
            return
        self._newest, self._frozen, self._fetch_problem = newest, frozen, ""

    def _resolved(self) -> str:
        remote, slash, branch = self.ref.partition("/")
        known = git(self.repository, "remote").splitlines()
        if slash and remote in known:
            git_or_raise(
                self.repository,
                "fetch",
                "--quiet",
                "--no-tags",
                remote,
                f"+{branch}:{self._ours}",
                seconds=_PATIENCE_SECONDS,
                remote=True,
            )
            return git_or_raise(self.repository, "rev-parse", "--verify", f"{self._ours}^{{commit}}")
        return git_or_raise(self.repository, "rev-parse", "--verify", "--end-of-options", f"{self.ref}^{{commit}}")

    def _freeze_of(self, commit: str) -> str:
        """As the file in a folder does: its first line says why."""
        if not git_or_raise(self.repository, "ls-tree", "--name-only", commit, FREEZE):
            return ""
        said = git(self.repository, "show", f"{commit}:{FREEZE}").splitlines()
        return f"the fleet is frozen by {FREEZE} in {self.ref}{f': {said[0]}' if said else ''}"
