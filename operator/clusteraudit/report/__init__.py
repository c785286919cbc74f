"""Shapes of all that goes out, and the status within its bounds."""
