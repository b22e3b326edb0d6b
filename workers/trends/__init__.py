"""Who and what is talked about, in windows of time: sake.entities in, sake.trends out."""
