"""Moments: seconds since the epoch inside, RFC 3339 outside."""

from datetime import UTC, datetime


def rfc3339(seconds: int) -> str:
    """A moment as the API writes it, in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> int:
    """Seconds of an RFC 3339 time, in UTC where it names no zone; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
