"""The engine: log, memtable, recovery, transactions. Knows no wire, no command, no asyncio."""
