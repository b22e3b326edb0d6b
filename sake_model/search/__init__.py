"""Search for the dialogue: a pool of providers, a cache, an index that needs no network."""
