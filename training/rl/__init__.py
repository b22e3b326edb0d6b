"""Reinforcement learning over the dialogue that is served."""
