"""What people type: each module parses, calls and prints."""
