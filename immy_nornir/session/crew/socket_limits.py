"""How many sockets this process may hold at once; the one place where POSIX and Windows differ here."""

from __future__ import annotations

import contextlib
import sys

MOST = 4000
"""More sockets at once than this make no sweep faster that anybody would notice."""

if sys.platform == "win32":

    def sockets_at_once() -> int:
        """How many sockets one thread may watch: what `select` takes, with room for one that wakes it."""
        return 500

else:
    import resource

    _WANTED = 2 * MOST
    """Below 10,240, above which macOS refuses whatever its hard limit says."""

    def sockets_at_once() -> int:
        """How many sockets one thread may watch: half of what the process may open, the rest is for its work.

        Raises this process' soft limit towards the hard one, once; what cannot be raised is taken as it is.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft // 2))
