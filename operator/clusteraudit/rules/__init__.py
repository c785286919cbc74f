"""What can be wrong: one file per rule, none of which knows another."""
