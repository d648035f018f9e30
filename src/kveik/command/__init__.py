"""What a command means: plain functions of a transaction. No I/O, no asyncio, no wire."""
