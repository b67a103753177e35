-- Load of `cargo xtask bench`: Avro records through v2, the schema as text in every request.
-- Arguments: how many records a request carries, and whether it asks for the connection to be closed ("close" or "keep").

local SCHEMA = [[{"type":"record","name":"skyFluxMetric","namespace":"lsst.example","fields":[]]
  .. [[{"name":"timestamp","type":"long"},{"name":"band","type":"string"},]]
  .. [[{"name":"instrument","type":"string","default":"HSC"},]]
  .. [[{"name":"meanSky","type":"float"},{"name":"stdevSky","type":"float"}]}]]
local RECORD = [[{"value":{"timestamp":1539899245000,"band":"y","instrument":"HSC","meanSky":-213.75,"stdevSky":2328.906}}]]

function init(args)
  local records = {}
  for i = 1, tonumber(args[1]) do records[i] = RECORD end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/vnd.kafka.avro.v2+json"
  wrk.headers["Accept"] = "application/vnd.kafka.v2+json"
  if args[2] == "close" then wrk.headers["Connection"] = "close" end
  wrk.body = '{"value_schema":"' .. SCHEMA:gsub('"', '\\"') .. '","records":[' .. table.concat(records, ",") .. "]}"
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
