"""The words of the service and their rules, free of any I/O library."""
