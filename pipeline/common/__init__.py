"""What every folder uses and what knows none of them: errors, settings, random streams, devices, keys of tables.

Holds no equation but the figures of `vector_health`. A function belongs here when two folders need it and it says nothing about either.
"""
