"""How many partitions, workers and GPUs a stream of posts takes, what it costs and how long a post takes.

Pure: figures in, figures out. `facts` says what is known of posts, engine, workers and searches, `model`
foretells a deployment, `sizing` finds one, `queueing` has the formulas with their sources. A simulation
that shares no code with it (tests/workers/plan) and real runs (tests/bench/scale.py) hold it to account.
"""
