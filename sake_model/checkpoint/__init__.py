"""Checkpoint folders: what they say of themselves, their digest, how the default one is made."""
