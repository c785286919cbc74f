"""The operator at the size of real clusters: made, loaded, changed and measured from outside."""
