-- The same load by wrk: wrk -t2 -c64 -d10s --latency -s tests/load/post.lua http://127.0.0.1:8002/interactions/v1/touchpoints
-- LOAD_BODY: a template file; LOAD_BATCH: rows in a request (0: one, no array); LOAD_HEADER: "Authorization: Bearer ...";
-- LOAD_BEFORE, LOAD_AFTER: what stands around a batch ('[' and ']'). Marks: {id} {n} {now} {uuid} {pick:K} {pick:K:W}.
local file = assert(io.open(os.getenv("LOAD_BODY") or "tests/load/bodies/touchpoint.json"))
local template = file:read("*a"):gsub("%s+$", "")
file:close()
local batch = tonumber(os.getenv("LOAD_BATCH") or "0")
local before, after = os.getenv("LOAD_BEFORE") or "[", os.getenv("LOAD_AFTER") or "]"
local now = os.date("!%Y-%m-%dT%H:%M:%SZ")
local threads = 0
local tag, n

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

function init()
   math.randomseed(os.time() + number * 7919)
   tag = string.format("%08x%02x", math.random(0, 0x7fffffff), number)
   n = number * 1000000000
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
   local name, value = (os.getenv("LOAD_HEADER") or ""):match("^([^:]+):%s*(.*)$")
   if name then wrk.headers[name] = value end
end

local function filled()
   n = n + 1
   local marks = { id = tag .. "-" .. n, n = tostring(n), now = now,
                   uuid = string.format("%s-0000-4000-8000-%012x", tag:sub(1, 8), n) }
   local text = template:gsub("{(%a+)}", marks)
   return (text:gsub("{pick:(%d+):?(%d*)}", function(below, width)
      local picked = (n * 2654435761) % 4294967291 % tonumber(below)
      return string.format(width == "" and "%d" or "%0" .. tonumber(width) .. "d", picked)
   end))
end

function request()
   if batch == 0 then return wrk.format(nil, nil, nil, filled()) end
   local rows = {}
   for i = 1, batch do rows[i] = filled() end
   return wrk.format(nil, nil, nil, before .. table.concat(rows, ",") .. after)
end

function done(summary, latency)
   local answered = summary.requests - summary.errors.status
   io.write(string.format(
      '{"answered":%d,"accepted":%d,"refused":%d,"broken":%d,"rate":%.1f,"p50_ms":%.2f,"p90_ms":%.2f,"p99_ms":%.2f,"max_ms":%.2f}\n',
      summary.requests, answered * math.max(batch, 1), summary.errors.status,
      summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
      answered * math.max(batch, 1) / (summary.duration / 1e6), latency:percentile(50) / 1000,
      latency:percentile(90) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
