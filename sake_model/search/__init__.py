"""Search for the dialogue: a pool of providers, a cache, an index that needs no network.

Begin at `factory.build_pool`; what the rest of the system sees of it is `interface`.
"""
