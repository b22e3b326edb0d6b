"""The console: one page that shows the stream while it flows, over server-sent events.

    reader ─▶ join ─▶ hub ─▶ a client's sample ─▶ app (HTTP, SSE) ─▶ page
    probes ─▶ pulse ┘                              pictures ┘

Everything between two arrows is bounded, in records and in bytes: a stream of any speed costs
the console what it shows of it, and the page says what share that is.
"""
