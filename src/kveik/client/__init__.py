"""Clients. They know neither engine nor server, and need nothing but the standard library."""
