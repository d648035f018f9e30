"""Clients. They know neither engine nor server.

KVClient and KVDBClient need nothing but the standard library, Client and AsyncClient redis-py.
"""
