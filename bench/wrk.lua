-- Arguments: a method, a body ("" for none), and the paths that are asked for in turn.
-- Prints one line at the end: requests, seconds, answers that are no success, broken connections.

local requests, turn = {}, 0

function init(arguments)
  local headers = {}
  if arguments[2] ~= "" then
    headers["Content-Type"] = "application/json"
  end
  for name, value in pairs(wrk.headers) do
    headers[name] = value
  end
  for index = 3, #arguments do
    requests[index - 2] = wrk.format(arguments[1], arguments[index], headers, arguments[2])
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("result %d %f %d %d\n", summary.requests, summary.duration / 1e6, errors.status, broken))
end
