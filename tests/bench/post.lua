-- wrk's script: POSTs a file again and again, and prints what it saw as one line of JSON.
--     wrk ... -s post.lua URL -- FILE MEDIA_TYPE TOKEN   the type of the body and of the answer; a
--                                                           token may be empty

function init(args)
    local file = assert(io.open(args[1], "rb"))
    wrk.method = "POST"
    wrk.body = file:read("*a")
    wrk.headers["Content-Type"] = args[2]
    wrk.headers["Accept"] = args[2]
    if args[3] ~= "" then wrk.headers["Authorization"] = "Bearer " .. args[3] end
    file:close()
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "failed": %d}\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
