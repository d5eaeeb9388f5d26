"""Runtimes behind one protocol: arrays in by name, arrays out by name."""
