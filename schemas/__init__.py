"""The records on the wire, their codec, headers, ids and invariants. Imports nothing of ours."""
