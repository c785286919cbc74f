"""Rules of storage: volumes, claims, zones."""
