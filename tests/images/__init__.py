"""Submissions for the tests: honest, broken and hostile ones, and how they become images."""
