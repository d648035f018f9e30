"""The command line: `kveik` and its sub-commands. Only it starts a server."""
