-- For wrk: writes how many responses came in each 10 ms of CLOCK_MONOTONIC, and how many of them were errors: "BIN RESPONSES ERRORS".
local ffi = require("ffi")
ffi.cdef[[
struct timespec { long seconds; long nanoseconds; };
int clock_gettime(int clock, struct timespec *time);
]]
local CLOCK_MONOTONIC = 1
local now = ffi.new("struct timespec")
local bin, responses, errors = nil, 0, 0

function response(status)
    ffi.C.clock_gettime(CLOCK_MONOTONIC, now)
    local at = tonumber(now.seconds) * 100 + math.floor(tonumber(now.nanoseconds) / 1e7)
    if at ~= bin then
        if bin then
            io.write(string.format("%d %d %d\n", bin, responses, errors))
            io.flush()
        end
        bin, responses, errors = at, 0, 0
    end
    responses = responses + 1
    if status >= 400 then
        errors = errors + 1
    end
end
