"""Posts with composed pictures and exact boxes: endless, by seed, with identities held out."""
