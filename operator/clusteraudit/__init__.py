"""Cluster Audit: asks of a Kubernetes cluster what its next incident is, and why."""
