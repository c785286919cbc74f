"""What if: a cluster in, an answer out; nothing is changed."""
