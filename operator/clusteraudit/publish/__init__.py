"""From the report to the outside: metrics, Events, status."""
