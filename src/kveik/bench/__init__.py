"""`kveik bench`: what it measures, and what the repository's own benches share with it.

Only `kveik.cli.bench` and the repository's `bench/` import this. It starts servers and engines in
processes of their own and knows Kveik by its public face alone. It needs the extra `bench`.
"""
