"""What goes wrong, told to the person who has to mend it.

Every error an operator can cause or meet is an `OpsError`: one sentence of *what*, one of *where*, one of *what to do*,
and an exit code that a script can act on. It is raised close to the cause and shown once, at the front door. Anything
else that escapes is a defect of this program, and is reported as one.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `sutazai-ops` returns to the shell. Documented in docs/start-here.md; never renumbered."""

    DONE = 0
    DEFECT = 1
    """A fault of this program: its log file says more."""
    CHANGES = 2
    """Only `plan` and `drift`: all went well, and there is something to do, as with `terraform plan`."""
    CANNOT = 3
    """The world does not allow it now: a server does not answer, a disk is full, a tool is missing."""
    REFUSED = 4
    """It could be done but should not be: another run holds the lock, or data would be lost."""
    CORRUPT = 5
    """Data was examined and is not what it should be."""
    BAD_INPUT = 64
    """A setting, a file or an argument is wrong; nothing was done. EX_USAGE of sysexits(3)."""


class OpsError(Exception):
    """An error a person can act on.

    Attributes:
        what: one sentence, lower case, no full stop: "cannot deploy: the limits add up to 14.2 GiB".
        where: the file, key or service it is about; empty where `what` already names it.
        remedy: what to do next, as a sentence or a command; empty only where nothing can be done.
    """

    exit_code = ExitCode.CANNOT
    retryable = False
    """Whether trying the very same thing again may succeed (a connection dropped), or cannot (a wrong password)."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.where, self.remedy) if part)


class BadInput(OpsError):
    """A setting, a file or an argument is wrong."""

    exit_code = ExitCode.BAD_INPUT


class Unreachable(OpsError):
    """A server did not answer, or stopped answering; trying again may help."""

    retryable = True


class CommandFailed(OpsError):
    """A tool such as pg_dump ended with an error; `what` carries the last lines it wrote."""


class ToolMissing(OpsError):
    """A tool of the needed product and version is not installed here; `remedy` names the package."""


class Unsupported(OpsError):
    """This engine cannot do what was asked of it."""


class Refused(OpsError):
    """It could be done but should not be: a lock is held, or data would be lost."""

    exit_code = ExitCode.REFUSED


class Corrupt(OpsError):
    """Data was examined and is not what it should be."""

    exit_code = ExitCode.CORRUPT
