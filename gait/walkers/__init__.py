"""Rendered people who walk, with ground truth."""
