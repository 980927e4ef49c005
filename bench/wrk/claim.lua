-- One claim a request, each by another user.
--   wrk -t1 -c296 -d10s -s bench/wrk/claim.lua http://127.0.0.1:8080 -- CAMPAIGN [ids]
-- `ids`: each request carries an Idempotency-Key, too. Prints one line of JSON at the end.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local campaign = args[1] or "spring"
  with_ids = args[2] == "ids"
  -- Users of another run are others, too.
  math.randomseed(os.time() + number)
  prefix = string.format("w%x-%d-", math.random(0, 0xffffff), number)
  head = "POST /v1/campaigns/" .. campaign .. "/claims HTTP/1.1\r\nHost: localhost\r\n"
  n = 0
end

function request()
  n = n + 1
  local user = prefix .. n
  local body = '{"user_id":"' .. user .. '"}'
  local id = with_ids and ("Idempotency-Key: id-" .. user .. "\r\n") or ""
  return head .. id .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"refused":%d,"broken":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
