"""What a cluster is: rows, tables, indexes, and the doors to read them by."""
