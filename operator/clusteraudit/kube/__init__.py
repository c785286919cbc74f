"""The one way to the API server."""
