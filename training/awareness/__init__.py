"""Self-awareness: does the model search what it does not know, and is it better for having searched."""
