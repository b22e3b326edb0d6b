"""Watched brands in the stream: matched as entities, folded, published, and sent to a webhook.

sake.recognitions ─▶ match ─▶ sake.mentions.matched ─▶ fold ─▶ sake.mentions ─▶ webhook
                     (exactly once,                    (Faust, by brand)        (at least once,
                      many at a time)                                            signed, retried)
"""
