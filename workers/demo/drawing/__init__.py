"""Draws the pictures of our own posts: a canvas that knows where things are, marks, figures, scenes."""
