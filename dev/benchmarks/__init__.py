"""How long the product's answers take on clusters of a given size."""
