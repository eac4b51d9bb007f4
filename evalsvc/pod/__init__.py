"""What runs beside the untrusted container: the standard library only."""
