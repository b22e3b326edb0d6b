"""Supervised fine-tuning: dialogues to token ids, and the trainer that learns them."""
