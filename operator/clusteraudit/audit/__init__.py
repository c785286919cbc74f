"""When to ask, and what changed since the last answer."""
