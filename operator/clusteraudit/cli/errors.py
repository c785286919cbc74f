"""What ends a command, and its exit code. No traceback reaches a user unless asked for."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, as documented."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    CLUSTER = 3
    PARTIAL = 4


class CommandError(Exception):
    """Ends a command with a code; the message names the cause and the remedy."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
