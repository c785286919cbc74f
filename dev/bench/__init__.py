"""Figures: how long the engine takes at the size of the largest clusters, from the model."""
