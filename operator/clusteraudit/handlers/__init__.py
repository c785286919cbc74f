"""The operator: its loop, Kopf's place in it, the pulse and the probes."""
