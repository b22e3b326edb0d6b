"""Labelled posts: where they come from and how they are checked."""
