"""The only place of Kveik that touches files, locks and their system calls.

api says what a disk is; posix is the real one; memory is one that can crash; faulty makes any of
them fail on purpose. Imports nothing of ours but the errors, and knows nothing of formats.
"""
