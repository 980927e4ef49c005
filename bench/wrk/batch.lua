-- Claims in batches, each by another user.
--   wrk -t1 -c8 -d10s -s bench/wrk/batch.lua http://127.0.0.1:8080 -- CAMPAIGN [LINES]
-- Prints one line of JSON at the end; `requests` counts batches.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local campaign = args[1] or "spring"
  lines = tonumber(args[2] or "1000")
  math.randomseed(os.time() + number)
  prefix = string.format('{"user_id":"b%x-%d-', math.random(0, 0xffffff), number)
  head = "POST /v1/campaigns/" .. campaign .. "/claims:batch HTTP/1.1\r\nHost: localhost\r\n" ..
    "Content-Length: "
  n = 0
end

function request()
  local parts = {}
  for i = 1, lines do
    n = n + 1
    parts[i] = prefix .. n .. '"}\n'
  end
  local body = table.concat(parts)
  return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"refused":%d,"broken":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
