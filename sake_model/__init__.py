"""What SAKE is, with no Kafka in it: protocol, dialogue, grounding, engine, search, checkpoints."""
