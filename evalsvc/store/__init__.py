"""The rows that are the truth: tables, queries and migrations."""
