"""Quotas, circuits and answers that many workers share through a Redis or Valkey server.

What is promised: workers that name the same server never pass a provider's limit together, in any
window; a circuit that one opens, or a pause that one is told (429), holds for all; what one found
is a hit for all. How, and what happens when the server is away:

* A call takes its places in the windows by one Lua script on the server: atomic, by the server's
  own clock. No window can hold more than the rate, whoever asks.
* A worker that has lost the server is *absent* once it was not seen for a lease. It waits until
  every window that the others may have filled meanwhile has passed (lease + the longest period and
  the time that a call may be under way), and then goes on with its **share**: the rate divided by the
  number of workers that the operator names (`SAKE_SEARCH_SHARED_WORKERS`), rounded down. A share may be
  nothing; then the provider rests.
* As long as anybody is absent, and one window longer, the others are *careful*: each keeps to its own
  share as well. So the sum stays within the limit also when only some can reach the server. A server
  that was restarted, and may have forgotten what it knew, makes all careful, too.
* One that is absent for longer than `SharedLimits.forget_s` is taken for dead, and its share given back.

Not covered: a server whose clock is set forward by hand forgets the places that it jumps over.

Begin at `connect.open_shared`.
"""
