"""Recognitions against gold: what `sake evaluate` computes and shows."""
