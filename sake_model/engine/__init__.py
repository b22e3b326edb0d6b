"""The model server: what is asked of it, the client that asks, the launcher that keeps it up."""
