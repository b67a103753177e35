-- Load of `cargo xtask bench`. Arguments: what is asked, and whether the connection is to be closed ("close" or "keep").
-- What is asked: a number (so many Avro records in a produce of API v2, the schema as text in every request), "read" (what the
-- address names) or "register" (that schema, under the subject that the address names).

local SCHEMA = [[{"type":"record","name":"skyFluxMetric","namespace":"lsst.example","fields":[]]
  .. [[{"name":"timestamp","type":"long"},{"name":"band","type":"string"},]]
  .. [[{"name":"instrument","type":"string","default":"HSC"},]]
  .. [[{"name":"meanSky","type":"float"},{"name":"stdevSky","type":"float"}]}]]
local RECORD = [[{"value":{"timestamp":1539899245000,"band":"y","instrument":"HSC","meanSky":-213.75,"stdevSky":2328.906}}]]

local QUOTED = SCHEMA:gsub('"', '\\"')

local function produce(count)
  local records = {}
  for i = 1, count do records[i] = RECORD end
  wrk.headers["Content-Type"] = "application/vnd.kafka.avro.v2+json"
  wrk.headers["Accept"] = "application/vnd.kafka.v2+json"
  wrk.body = '{"value_schema":"' .. QUOTED .. '","records":[' .. table.concat(records, ",") .. "]}"
end

local function register()
  wrk.headers["Content-Type"] = "application/vnd.schemaregistry.v1+json"
  wrk.body = '{"schema":"' .. QUOTED .. '"}'
end

function init(args)
  wrk.method = args[1] == "read" and "GET" or "POST"
  if args[1] == "register" then register() elseif args[1] ~= "read" then produce(tonumber(args[1])) end
  if args[2] == "close" then wrk.headers["Connection"] = "close" end
  request = wrk.format()
  wrk.request = function() return request end
end

-- One line that `bench/load.rs` reads. Times are in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("measured %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
