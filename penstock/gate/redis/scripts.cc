#include "penstock/gate/redis/scripts.h"

#include <algorithm>
#include <iterator>

#include "penstock/base/check.h"

namespace penstock {
namespace {

/// How the state is read, written and doubted. A check's name in angle brackets becomes true, or
/// false in tests.
constexpr std::string_view kPrelude = R"lua(
local call = redis.call
local layout = '>c16c20c40BBBdddddddddddddd'
local gen, run, phase, closed, final, quantity, cap, from, till, granted, reserved, entries, writes,
  over, none, few, sold, early, late, marker
local function read(state)
  if #state ~= 191 then return false end
  marker, gen, run, phase, closed, final, quantity, cap, from, till, granted, reserved, entries,
    writes, over, none, few, sold, early, late = struct.unpack(layout, state)
  return marker == 'penstock-gate 1 '
end
local function state()
  return struct.pack(layout, 'penstock-gate 1 ', gen, run, phase, closed, final, quantity, cap, from,
    till, granted, reserved, entries, writes, over, none, few, sold, early, late)
end
local function lost()
  if <run_id> and run ~= ARGV[1] then return 'it was built on another server process' end
  if phase == 3 then return 'it was found lost before' end
  if <generation> then
    if gen < ARGV[2] then return 'its generation went back' end
    if gen == ARGV[2] and writes < tonumber(ARGV[3]) then return 'its writes went back' end
  end
  if <whole> and call('HLEN', KEYS[1]) ~= entries + 1 then return 'entries are missing' end
  return nil
end
)lua";

constexpr std::string_view kClaims = R"lua(
local field = cmsgpack.unpack(ARGV[5])
local n = (#field - 1) / 2
local found = call('HMGET', KEYS[1], unpack(field))
if not found[1] then
  if call('EXISTS', KEYS[1]) == 1 then return {'foreign', KEYS[1]} end
  return {'missing'}
end
if not read(found[1]) then return {'foreign', KEYS[1]} end
if phase == 4 then return {'dropped'} end
local why = lost()
if why then
  if run == ARGV[1] and phase ~= 3 then
    phase = 3
    call('HSET', KEYS[1], 's', state())
  end
  return {'lost', why}
end
if ARGV[4] ~= '' then
  if gen ~= ARGV[4] then return {'fenced', gen} end
  if phase ~= 1 then return {'opened'} end
elseif <current> and gen ~= ARGV[2] then
  return {'generation', gen}
end
if n == 0 then return {'ok', gen, writes, 0, '', ''} end
local closing
if phase == 1 then
  local kind = call('TYPE', KEYS[2]).ok
  if kind ~= 'none' and kind ~= 'hash' then return {'foreign', KEYS[2]} end
  closing = call('HMGET', KEYS[2], unpack(field, 2, n + 1))
end
local byte = string.byte
local kinds = ARGV[6] ~= '' and ARGV[6]
local quantities = ARGV[7] ~= '' and cmsgpack.unpack(ARGV[7])
local base = tonumber(ARGV[8])
local later = ARGV[9] ~= '' and cmsgpack.unpack(ARGV[9])
local limited = cap >= 0
local free = quantity - granted - reserved
local first = free
local now, set, m, codes = {}, {}, 0, {}
local gone, back, lefts = kinds and {}, kinds and {}, kinds and {}
local changed = false

local grant, give_back, take
if kinds then
  local function units_held(i)
    local held = now[field[n + 1 + i]]
    if held == nil then held = tonumber(found[n + 1 + i] or 0) end
    return held
  end
  local function put(name, value)
    now[name] = value
    set[m + 1], set[m + 2] = name, value
    m = m + 2
  end
  function take(i, units, value)
    put(field[1 + i], value)
    entries = entries + 1
    if limited then
      local held = units_held(i)
      if held == 0 then entries = entries + 1 end
      put(field[n + 1 + i], held + units)
    end
  end
  function grant(i, value)
    if not value then
      local units = quantities and quantities[i] or 1
      if units == 0 then return end
      granted = granted + units
      take(i, units, '+' .. units)
    elseif byte(value) ~= 43 then
      local units = tonumber(value)
      granted = granted + units
      reserved = reserved - units
      put(field[1 + i], '+' .. units)
    end
  end
  local function remove(name, value)
    now[name] = value
    gone[#gone + 1] = name
    entries = entries - 1
  end
  function give_back(i, value)
    if value and byte(value) == 43 then return end
    if closing then back[field[1 + i]] = true end
    if not value then return end
    local units = tonumber(value)
    reserved = reserved - units
    changed = true
    remove(field[1 + i], false)
    if limited then
      local held = units_held(i)
      if held > units then
        put(field[n + 1 + i], held - units)
      elseif held > 0 then
        remove(field[n + 1 + i], 0)
      end
    end
  end
end

local refused = false
for i = 1, n do
  local name = field[1 + i]
  local value = now[name]
  if value == nil then value = found[1 + i] end
  local kind = kinds and byte(kinds, i) or 0
  local code = 0
  if kind == 0 then
    local units = quantities and quantities[i] or 1
    local time = later and base + later[i] or base
    local holder = field[n + 1 + i]
    local held
    if limited then
      held = now[holder]
      if held == nil then held = tonumber(found[n + 1 + i] or 0) end
    end
    if phase ~= 2 then code = 8
    elseif <again> and value then code = 1
    elseif closed == 1 or till <= time then code = 7 late = late + 1
    elseif time < from then code = 6 early = early + 1
    elseif limited and held + units > cap then code = 2 over = over + 1
    elseif units > free then
      if granted >= quantity then code = 5 sold = sold + 1
      elseif free <= 0 then code = 3 none = none + 1
      else code = 4 few = few + 1 end
    else
      reserved = reserved + units
      free = free - units
      value = quantities and '' .. units or '1'
      now[name] = value
      set[m + 1], set[m + 2] = name, value
      m = m + 2
      entries = entries + 1
      if limited then
        if held == 0 then entries = entries + 1 end
        held = held + units
        now[holder] = held
        set[m + 1], set[m + 2] = holder, held == 1 and '1' or held
        m = m + 2
      end
    end
    refused = refused or code > 1
  else
    if final == 1 then
      -- It is counted, or comes to nothing.
    elseif kind == 1 then
      grant(i, value)
    elseif kind == 2 then
      give_back(i, value)
    elseif not value and not closing[i] and not back[name] then
      local units = quantities and quantities[i] or 1
      reserved = reserved + units
      take(i, units, '' .. units)
    end
    free = quantity - granted - reserved
  end
  codes[i] = code
  if kinds then lefts[i] = free > 0 and free or 0 end
end

if m > 0 or changed then writes = writes + 1 end
if m > 0 or changed or refused then
  -- A write that makes room comes first: it is taken, and so is the rest, when memory is short.
  local delete
  if changed then
    delete = {}
    for i = 1, #gone do
      local value = now[gone[i]]
      if not value or value == 0 then delete[#delete + 1] = gone[i] end
    end
    if #delete > 0 and m == 0 then call('HDEL', KEYS[1], unpack(delete)) end
  end
  local only_deletes = m == 0
  set[m + 1], set[m + 2] = 's', state()
  call('HSET', KEYS[1], unpack(set))
  if delete and #delete > 0 and not only_deletes then call('HDEL', KEYS[1], unpack(delete)) end
end
if closing and back then
  for name in pairs(back) do call('HSET', KEYS[2], name, '1') end
end
return {'ok', gen, writes, first, string.char(unpack(codes)), kinds and cmsgpack.pack(lefts) or ''}
)lua";

constexpr std::string_view kControl = R"lua(
if <types> then
  for i = 1, 2 do
    local found = call('TYPE', KEYS[i]).ok
    if found ~= 'none' and found ~= 'hash' then return {'foreign', KEYS[i]} end
  end
end
local line = call('HGET', KEYS[1], 's')
if not (line and read(line)) and <types> and call('EXISTS', KEYS[1]) == 1 then
  return {'foreign', KEYS[1]}
end
local verb = ARGV[4]
local function spec(i)
  quantity, cap, from, till = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]),
    tonumber(ARGV[i + 3])
end
if verb == 'begin' then
  if gen and phase ~= 4 and gen >= ARGV[5] then return {'fenced', gen} end
  if ARGV[2] >= ARGV[5] then return {'fenced', ARGV[2]} end
  gen, run, phase, closed = ARGV[5], ARGV[1], 1, tonumber(ARGV[10])
  spec(6)
  final, granted = ARGV[11] ~= '' and 1 or 0, tonumber(ARGV[11]) or 0
  reserved, entries, writes = 0, 0, 0
  over, none, few, sold, early, late = 0, 0, 0, 0, 0, 0
  call('UNLINK', KEYS[1], KEYS[2])
  call('HSET', KEYS[1], 's', state())
  return {'ok', state()}
end
if not gen then return {'missing'} end
if phase == 4 then return {'dropped'} end
if verb == 'drop' then
  phase, entries = 4, 0
  call('UNLINK', KEYS[1], KEYS[2])
  call('HSET', KEYS[1], 's', state())
  call('PEXPIRE', KEYS[1], ARGV[5])
  return {'ok', state()}
end
local why = lost()
if verb == 'counts' then
  if why then phase = 3 end
  return {'ok', state(), why}
end
if why then return {'lost', why} end
if verb == 'open' then
  if gen ~= ARGV[5] then return {'fenced', gen} end
  phase = 2
  call('HSET', KEYS[1], 's', state())
  call('UNLINK', KEYS[2])
elseif verb == 'alter' then
  local before, limit = quantity, cap
  spec(5)
  if quantity ~= before or cap ~= limit then return {'differs'} end
  if ARGV[9] == '1' then closed = 1 end
  call('HSET', KEYS[1], 's', state())
else
  return redis.error_reply('ERR penstock: no verb ' .. verb)
end
return {'ok', state()}
)lua";

struct NamedCheck {
    GateCheck check;
    std::string_view name;
};
constexpr NamedCheck kChecks[] = {
    {GateCheck::again, "again"},           {GateCheck::run_id, "run_id"},
    {GateCheck::generation, "generation"}, {GateCheck::current, "current"},
    {GateCheck::whole, "whole"},           {GateCheck::types, "types"}};

std::string script_of(std::string_view body, GateCheck without) {
    std::string script = std::string(kPrelude) + std::string(body);
    for (const auto& [check, name] : kChecks) {
        const std::string mark = "<" + std::string(name) + ">";
        for (std::size_t at = script.find(mark); at != std::string::npos; at = script.find(mark)) {
            script.replace(at, mark.size(), check == without ? "false" : "true");
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

#if PENSTOCK_FAILPOINTS
GateCheck gate_check_of(std::string_view name) {
    const auto* const found = std::find_if(std::begin(kChecks), std::end(kChecks),
                                           [&](const NamedCheck& one) { return one.name == name; });
    PENSTOCK_CHECK(found != std::end(kChecks));
    return found->check;
}
#endif

}  // namespace penstock
