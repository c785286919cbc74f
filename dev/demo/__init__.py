"""The demo: a cluster broken by the rules' own examples, and what the audit says of it."""
