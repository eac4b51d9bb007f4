"""Benchmarks: each prints what it measured, and its ratio against a named opponent on its last line."""
