"""Listeners, sessions, the host and the gate. asyncio lives here and nowhere below."""
