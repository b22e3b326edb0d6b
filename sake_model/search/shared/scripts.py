"""What the server runs: each script is atomic, and all times are microseconds of the server's clock.

Integers of microseconds since 1970 are exact in a double until the year 2255, and are what a reply
can carry. Keys (all with one hash tag, so that they lie in one slot of a cluster):

    run        the server's run id when it was last looked at: another one = it was restarted
    careful    until when every worker keeps to its own share
    members    workers by when they were last seen
    places:P   calls to provider P by the latest moment at which it has counted them
    trouble:P  open (until when the circuit is), probe (until when somebody tries), pause (429)
"""

from __future__ import annotations

__all__ = ["ANSWERED", "GIVE_BACK", "LEAVE", "SYNC", "TAKE", "TELL"]

PRELUDE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- Lua's own way to write a number keeps 14 digits; these have 16.
local function after(moment) return string.format('(%.0f', moment) end
"""

# KEYS 1 run, 2 careful, 3 members. ARGV 1 name, 2 lease, 3 settle, 4 forget, 5 whether it was alone.
# Leaves in `careful` for how long all must be careful, 0 = they need not.
SEEN = (
    PRELUDE
    + """
local lease, settle = tonumber(ARGV[2]), tonumber(ARGV[3])
local till = tonumber(redis.call('GET', KEYS[2]) or 0)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local before = till
if redis.call('GET', KEYS[1]) ~= run then
  redis.call('SET', KEYS[1], run)
  till = math.max(till, now + lease + settle)
end
local seen = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[1]) or now)
if ARGV[5] == '1' or now - seen > lease then till = math.max(till, now + settle) end
if till ~= before then redis.call('SET', KEYS[2], till) end
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[4]))
local careful = math.max(0, till - now)
if redis.call('ZCOUNT', KEYS[3], '-inf', now - lease) > 0 then careful = math.max(careful, lease) end
"""
)

# What is known of a provider's circuit and pause: {left, pause}. left: 0 = closed, > 0 = open for
# so long, -2 = the pause is over and nobody has tried yet.
TROUBLE = """
local function trouble(key)
  local known = redis.call('HMGET', key, 'open', 'probe', 'pause')
  local pause = math.max(0, tonumber(known[3] or 0) - now)
  if not known[1] then return 0, pause end
  local left = math.max(tonumber(known[1]), tonumber(known[2] or 0)) - now
  if left > 0 then return left, pause end
  return -2, pause
end
"""

TAKE = (
    SEEN
    + TROUBLE
    + """
-- KEYS 4 places, 5 trouble. ARGV 6 id, 7 calls, 8 counted in, 9.. calls and period of each rate.
-- {granted, wait, careful, left, pause}; left -1 = this call is the one that tries.
local calls, counted = tonumber(ARGV[7]), tonumber(ARGV[8])
local left, pause = trouble(KEYS[5])
if left > 0 or pause > 0 then return {0, 0, careful, left, pause} end

local longest = 0
for i = 9, #ARGV, 2 do longest = math.max(longest, tonumber(ARGV[i + 1])) end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - longest)
-- The clock was set back: what lies too far ahead counts as late as a call of now may.
local ahead = redis.call('ZRANGEBYSCORE', KEYS[4], after(now + counted + longest), '+inf')
for _, member in ipairs(ahead) do redis.call('ZADD', KEYS[4], now + counted, member) end

local wait = 0
for i = 9, #ARGV, 2 do
  local most, period = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local since = after(now - period)
  local in_the_way = redis.call('ZCOUNT', KEYS[4], since, '+inf') - (most - math.min(calls, most))
  if in_the_way > 0 then
    local last = redis.call('ZRANGEBYSCORE', KEYS[4], since, '+inf', 'WITHSCORES', 'LIMIT', in_the_way - 1, 1)
    wait = math.max(wait, last[2] + period - now)
  end
end
if wait > 0 then return {0, wait, careful, left, pause} end

for i = 1, calls do redis.call('ZADD', KEYS[4], now + counted, ARGV[6] .. ':' .. i) end
if left == -2 then
  redis.call('HSET', KEYS[5], 'probe', now + counted)
  left = -1
end
return {1, 0, careful, left, pause}
"""
)

SYNC = (
    SEEN
    + TROUBLE
    + """
-- KEYS 4.. trouble of each provider. {careful, left, pause, left, pause, …}
local said = {careful}
for i = 4, #KEYS do
  local left, pause = trouble(KEYS[i])
  table.insert(said, left)
  table.insert(said, pause)
end
return said
"""
)

# KEYS 1 places. ARGV 1 id, 2 calls.
ANSWERED = (
    PRELUDE
    + """
for i = 1, tonumber(ARGV[2]) do redis.call('ZADD', KEYS[1], 'XX', 'LT', now, ARGV[1] .. ':' .. i) end
"""
)

GIVE_BACK = """
for i = 1, tonumber(ARGV[2]) do redis.call('ZREM', KEYS[1], ARGV[1] .. ':' .. i) end
"""

# KEYS 1 trouble. ARGV 1 open | closed | pause, 2 for how long.
TELL = (
    PRELUDE
    + """
local what, till = ARGV[1], now + tonumber(ARGV[2])
if what == 'closed' then
  redis.call('HDEL', KEYS[1], 'open', 'probe')
elseif what == 'open' then
  redis.call('HSET', KEYS[1], 'open', till, 'probe', 0)
elseif till > tonumber(redis.call('HGET', KEYS[1], 'pause') or 0) then
  redis.call('HSET', KEYS[1], 'pause', till)
end
"""
)

# KEYS 1 members. ARGV 1 name.
LEAVE = "redis.call('ZREM', KEYS[1], ARGV[1])"
