"""Search tags: which entities a model knows by itself, found by letting it answer several times."""
