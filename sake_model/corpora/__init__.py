"""Labelled posts: the forms in which corpora lie on disk, and one type for all of them."""
