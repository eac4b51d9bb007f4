"""The HTTP interface: thin routes over admission and the store."""
