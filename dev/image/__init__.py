"""Builds the image, where Docker or buildah is, and runs it as a restricted pod would."""
