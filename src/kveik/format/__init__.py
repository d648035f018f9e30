"""Bytes <-> values, pure: no I/O, no clock, no state. Byte by byte in docs/formats/."""
