"""Kafka and people: the stream workers, the embedded broker, settings, telemetry, the command."""
