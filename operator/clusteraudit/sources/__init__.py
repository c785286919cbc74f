"""From outside into the model: live watches and snapshot files."""
