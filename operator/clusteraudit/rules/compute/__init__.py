"""Rules of compute: room, placement, memory."""
