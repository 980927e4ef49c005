#include "penstock/gate/redis/scripts.h"

#include <string_view>

namespace penstock {
namespace {

/// Types, then the state line. A check's name in angle brackets becomes true, or false in tests.
constexpr std::string_view kPrelude = R"lua(
local call = redis.call
local wanted = {'string', 'hash', 'hash', 'hash'}
if <types> then
  for i = 1, 4 do
    local found = call('TYPE', KEYS[i]).ok
    if found ~= 'none' and found ~= wanted[i] then return {'foreign', KEYS[i]} end
  end
end
local line = call('GET', KEYS[1])
local gen, run, phase, quantity, limit, opens, closes, closed, granted, reserved, n_ids, n_holders,
  writes, over, none, few, sold, early, late
if line then
  gen, run, phase, quantity, limit, opens, closes, closed, granted, reserved, n_ids, n_holders,
    writes, over, none, few, sold, early, late = string.match(line,
      '^penstock%-gate 1 (%d+) (%w+) (%a+) (%d+) (%S+) (%S+) (%S+) ([01]) (%d+) (%d+) (%d+) (%d+) ' ..
      '(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  if not gen then return {'foreign', KEYS[1]} end
  quantity, granted, reserved = tonumber(quantity), tonumber(granted), tonumber(reserved)
  n_ids, n_holders, writes = tonumber(n_ids), tonumber(n_holders), tonumber(writes)
end
local function state()
  return table.concat({'penstock-gate 1', gen, run, phase, quantity, limit, opens, closes, closed,
    granted, reserved, n_ids, n_holders, writes, over, none, few, sold, early, late}, ' ')
end
local function lost()
  if <run_id> and run ~= ARGV[1] then return 'it was built on another server process' end
  if phase == 'lost' then return 'it was found lost before' end
  if <generation> then
    if gen < ARGV[2] then return 'its generation went back' end
    if gen == ARGV[2] and writes < tonumber(ARGV[3]) then return 'its writes went back' end
  end
  if <whole> and (call('HLEN', KEYS[2]) ~= n_ids or call('HLEN', KEYS[3]) ~= n_holders) then
    return 'entries are missing'
  end
  return nil
end
)lua";

constexpr std::string_view kClaims = R"lua(
if not line then return {'missing'} end
if phase == 'dropped' then return {'dropped'} end
local why = lost()
if why then
  if run == ARGV[1] and phase ~= 'lost' then
    phase = 'lost'
    call('SET', KEYS[1], state())
  end
  return {'lost', why}
end
if ARGV[4] ~= '' then
  if gen ~= ARGV[4] then return {'fenced', gen} end
  if phase ~= 'rebuilding' then return {'opened'} end
end
if #ARGV[5] == 0 then return {'ok', gen, writes, '', ''} end
local cap, from, till = tonumber(limit), tonumber(opens), tonumber(closes)
local base = tonumber(ARGV[9])
local id, n = {}, #ARGV[5] / 16
for i = 1, n do id[i] = string.sub(ARGV[5], i * 16 - 15, i * 16) end
local holder = cmsgpack.unpack(ARGV[6])
local kinds = ARGV[7] ~= '' and ARGV[7]
local quantities = ARGV[8] ~= '' and cmsgpack.unpack(ARGV[8])
local later = ARGV[10] ~= '' and cmsgpack.unpack(ARGV[10])
local found = call('HMGET', KEYS[2], unpack(id))
local had = cap and call('HMGET', KEYS[3], unpack(holder))
local closing = phase ~= 'open' and call('HMGET', KEYS[4], unpack(id))
local entry, held, back = {}, {}, {}
local codes, lefts = {}, {}
local byte = string.byte
local changed, refused = false, false

local function units_held(i)
  local units = held[holder[i]]
  if units == nil then units = tonumber(had[i] or 0) end
  return units
end
local function take(i, units, value)
  entry[id[i]] = value
  n_ids = n_ids + 1
  changed = true
  if cap then
    local before = units_held(i)
    if before == 0 then n_holders = n_holders + 1 end
    held[holder[i]] = before + units
  end
end
local function grant(i, now)
  if not now then
    local units = quantities and quantities[i] or 1
    if units == 0 then return end
    granted = granted + units
    take(i, units, '+' .. units)
  elseif byte(now) ~= 43 then
    local units = string.match(now, '^%d+')
    granted = granted + units
    reserved = reserved - units
    entry[id[i]] = '+' .. units
    changed = true
  end
end
local function give_back(i, now)
  if now and byte(now) == 43 then return end
  if closing then back[id[i]] = true end
  if not now then return end
  local units = tonumber(string.match(now, '^%d+'))
  entry[id[i]] = false
  n_ids = n_ids - 1
  reserved = reserved - units
  changed = true
  if cap then
    local before = units_held(i)
    if before > units then
      held[holder[i]] = before - units
    elseif before > 0 then
      held[holder[i]] = 0
      n_holders = n_holders - 1
    end
  end
end
local function decide(i, now)
  if phase ~= 'open' then return 8 end
  if <again> and now then return 1 end
  local units = quantities and quantities[i] or 1
  local time = later and base + later[i] or base
  refused = true
  if closed == '1' or till and till <= time then late = late + 1 return 7 end
  if from and time < from then early = early + 1 return 6 end
  if cap and units_held(i) + units > cap then over = over + 1 return 2 end
  local free = quantity - granted - reserved
  if units > free then
    if granted >= quantity then sold = sold + 1 return 5 end
    if free <= 0 then none = none + 1 return 3 end
    few = few + 1
    return 4
  end
  reserved = reserved + units
  take(i, units, units .. ' ' .. time)
  return 0
end

for i = 1, n do
  local now = entry[id[i]]
  if now == nil then now = found[i] end
  local kind = kinds and byte(kinds, i) or 0
  local code = 0
  if kind == 0 then
    code = decide(i, now)
  elseif kind == 1 then
    grant(i, now)
  elseif kind == 2 then
    give_back(i, now)
  elseif not now and not closing[i] and not back[id[i]] then
    local units = quantities and quantities[i] or 1
    reserved = reserved + units
    take(i, units, units .. ' 0')
  end
  codes[i] = code
  local free = quantity - granted - reserved
  lefts[i] = free > 0 and free or 0
end

local set, delete, mark = {}, {}, {}
for key, value in pairs(entry) do
  if value then
    set[#set + 1] = key
    set[#set + 1] = value
  else
    delete[#delete + 1] = key
  end
end
if #set > 0 then call('HSET', KEYS[2], unpack(set)) end
if #delete > 0 then call('HDEL', KEYS[2], unpack(delete)) end
set, delete = {}, {}
for key, value in pairs(held) do
  if value > 0 then
    set[#set + 1] = key
    set[#set + 1] = value
  else
    delete[#delete + 1] = key
  end
end
if #set > 0 then call('HSET', KEYS[3], unpack(set)) end
if #delete > 0 then call('HDEL', KEYS[3], unpack(delete)) end
for key in pairs(back) do
  mark[#mark + 1] = key
  mark[#mark + 1] = '1'
end
if #mark > 0 then call('HSET', KEYS[4], unpack(mark)) end
if changed then writes = writes + 1 end
if changed or refused then call('SET', KEYS[1], state()) end
return {'ok', gen, writes, string.char(unpack(codes)), cmsgpack.pack(lefts)}
)lua";

constexpr std::string_view kControl = R"lua(
local verb = ARGV[4]
if verb == 'begin' then
  if line and phase ~= 'dropped' and gen >= ARGV[5] then return {'fenced', gen} end
  if ARGV[2] >= ARGV[5] then return {'fenced', ARGV[2]} end
  gen, run, phase = ARGV[5], ARGV[1], 'rebuilding'
  quantity, limit, opens, closes, closed = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
  granted, reserved, n_ids, n_holders, writes = 0, 0, 0, 0, 0
  over, none, few, sold, early, late = 0, 0, 0, 0, 0, 0
  call('SET', KEYS[1], state())
  call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
  return {'ok', state()}
end
if not line then return {'missing'} end
if phase == 'dropped' then return {'dropped'} end
if verb == 'drop' then
  phase = 'dropped'
  call('SET', KEYS[1], state(), 'PX', ARGV[5])
  call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
  return {'ok', state()}
end
local why = lost()
if verb == 'counts' then
  if why then phase = 'lost' end
  return {'ok', state(), why}
end
if why then return {'lost', why} end
if verb == 'open' then
  if gen ~= ARGV[5] then return {'fenced', gen} end
  phase = 'open'
  call('SET', KEYS[1], state())
  call('UNLINK', KEYS[4])
elseif verb == 'alter' then
  if quantity ~= tonumber(ARGV[5]) or limit ~= ARGV[6] then return {'differs'} end
  opens, closes = ARGV[7], ARGV[8]
  if ARGV[9] == '1' then closed = '1' end
  call('SET', KEYS[1], state())
else
  return redis.error_reply('ERR penstock: no verb ' .. verb)
end
return {'ok', state()}
)lua";

constexpr std::string_view name_of(GateCheck check) {
    switch (check) {
        case GateCheck::none:
            return "";
        case GateCheck::again:
            return "<again>";
        case GateCheck::run_id:
            return "<run_id>";
        case GateCheck::generation:
            return "<generation>";
        case GateCheck::whole:
            return "<whole>";
        case GateCheck::types:
            return "<types>";
    }
    return "";
}

std::string script_of(std::string_view body, GateCheck without) {
    std::string script = std::string(kPrelude) + std::string(body);
    for (const GateCheck check : {GateCheck::again, GateCheck::run_id, GateCheck::generation,
                                  GateCheck::whole, GateCheck::types}) {
        const std::string_view name = name_of(check);
        for (std::size_t at = script.find(name); at != std::string::npos; at = script.find(name)) {
            script.replace(at, name.size(), check == without ? "false" : "true");
        }
    }
    return script;
}

}  // namespace

std::string claims_script(GateCheck without) {
    return script_of(kClaims, without);
}

std::string control_script(GateCheck without) {
    return script_of(kControl, without);
}

}  // namespace penstock
