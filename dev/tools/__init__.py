"""Small tools for developers: called by the Makefile, never shipped."""
