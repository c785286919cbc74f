"""Rules of identity: who may do what, and pull what."""
