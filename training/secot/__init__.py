"""SeCoT: dialogues that search where the model does not know and answer at once where it does."""
