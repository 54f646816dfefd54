"""What the server does in one step, in Lua. Keys are made from a prefix: the bus is on one server, not on a cluster."""

__all__ = ["COUNT", "FETCH", "FLUSH", "PLACES", "PUBLISH", "REGISTER", "RELEASE", "RENEW", "TAKE"]

PUBLISH = """
-- KEYS: registry, streams. ARGV: prefix, then event id, type, subject and body of each message.
local prefix, owners, types = ARGV[1], {}, {}
for i = 2, #ARGV, 4 do
    local owner = string.match(ARGV[i + 1], '^[^.]*')
    owners[owner], types[ARGV[i + 1]] = true, true
    redis.call('XADD', prefix .. ':events:' .. owner, '*',
        'event_id', ARGV[i], 'type', ARGV[i + 1], 'subject', ARGV[i + 2], 'body', ARGV[i + 3])
end
for owner in pairs(owners) do redis.call('SADD', KEYS[2], owner) end
local registry = redis.call('HGETALL', KEYS[1])
for i = 1, #registry, 2 do
    for type in string.gmatch(registry[i + 1], '%S+') do
        if types[type] then
            redis.call('PUBLISH', prefix .. ':wake:' .. registry[i], '')
            break
        end
    end
end
"""

REGISTER = """
-- KEYS: registry, streams. ARGV: prefix, group, its types in one text, where a new group begins.
local prefix, group, types, start = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local function owners(text)
    local found = {}
    for type in string.gmatch(text, '%S+') do found[string.match(type, '^[^.]*')] = true end
    return found
end
local wanted = owners(types)
for owner in pairs(owners(redis.call('HGET', KEYS[1], group) or '')) do
    if not wanted[owner] then redis.pcall('XGROUP', 'DESTROY', prefix .. ':events:' .. owner, group) end
end
for owner in pairs(wanted) do
    redis.call('SADD', KEYS[2], owner)
    local made = redis.pcall('XGROUP', 'CREATE', prefix .. ':events:' .. owner, group, start, 'MKSTREAM')
    if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
end
if types == '' then redis.call('HDEL', KEYS[1], group) else redis.call('HSET', KEYS[1], group, types) end
"""

TAKE = """
-- KEYS: lease. ARGV: owner, milliseconds. Who has it already keeps it, as after a lost connection.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RENEW = """
-- KEYS: lease. ARGV: owner, milliseconds.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RELEASE = """
-- KEYS: lease. ARGV: owner.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

PLACES = """
-- KEYS: streams. ARGV: group. For each: the last delivered id, how many entries lie up to it (-1: unknown), pending.
local function place(stream)
    local groups = redis.pcall('XINFO', 'GROUPS', stream)
    if groups.err then return nil end
    for _, flat in ipairs(groups) do
        local of = {}
        for i = 1, #flat, 2 do of[flat[i]] = flat[i + 1] end
        if of['name'] == ARGV[1] then
            local added = 0
            local info = redis.call('XINFO', 'STREAM', stream)
            for i = 1, #info, 2 do if info[i] == 'entries-added' then added = info[i + 1] end end
            return {of['last-delivered-id'], of['lag'] and added - of['lag'] or -1, of['pending']}
        end
    end
end
local found = {}
for i, stream in ipairs(KEYS) do
    found[i] = place(stream)
    if not found[i] then  -- somebody deleted it: what is there is rather read twice than never
        redis.call('XGROUP', 'CREATE', stream, ARGV[1], '0', 'MKSTREAM')
        found[i] = place(stream)
    end
end
return found
"""

FETCH = """
-- KEYS: lease, registry, streams. ARGV: owner, group, types, limit, the place in each stream.
-- Each stream gets an equal share of the limit; what some leave over goes to those that have more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then return 'types' end
local wanted, left, streams, pages, longer = {}, tonumber(ARGV[4]), #KEYS - 2, {}, {}
for type in string.gmatch(ARGV[3], '%S+') do wanted[type] = true end
local function read(i, count)
    local page = pages[i]
    local found = redis.call('XRANGE', KEYS[2 + i], '(' .. page[1], '+', 'COUNT', count)
    for _, entry in ipairs(found) do
        local of = {}
        for f = 1, #entry[2], 2 do of[entry[2][f]] = entry[2][f + 1] end
        page[1], page[2] = entry[1], page[2] + 1
        if of['type'] and wanted[of['type']] then
            table.insert(page[3],
                {page[2], entry[1], of['event_id'] or '', of['type'], of['subject'] or '', of['body'] or ''})
        end
    end
    left = left - #found
    return #found == count
end
local share = math.max(1, math.floor(left / streams))
for i = 1, streams do
    pages[i] = {ARGV[4 + i], 0, {}}
    if left > 0 and read(i, math.min(share, left)) then table.insert(longer, i) end
end
for _, i in ipairs(longer) do
    if left > 0 then read(i, left) end
end
return pages
"""

FLUSH = """
-- KEYS: lease, streams. ARGV: owner, group, then for each stream the id and how many entries lie up to it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
    redis.call('XGROUP', 'SETID', KEYS[i], ARGV[2], ARGV[2 * i - 1], 'ENTRIESREAD', ARGV[2 * i])
end
return 1
"""

COUNT = """
-- KEYS: stream. ARGV: id, at most how many. The number of entries after it, and the last of them.
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
return {#found, #found > 0 and found[#found][1] or ARGV[1]}
"""
