"""A vision tower taught on dense targets, before any language model looks through it."""
