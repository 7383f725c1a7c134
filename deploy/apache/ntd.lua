-- Asks ntd about each request: the access checker of ntd.conf beside this file.
--
-- Apache has no forward-auth of its own; this is one in mod_lua, with Debian's lua-socket as its HTTP
-- client. Should it fail or be missing, Apache answers 500 and nothing passes.
--
-- Never keep a verdict: there is no table of answers here, and none belongs here.

local http = require "socket.http"
local ltn12 = require "ltn12"

local ntd = "http://127.0.0.1:8480/v1/token_auth"       -- where ntd listens
http.TIMEOUT = 5                                        -- how long it may take, in seconds

-- Who it is, as ntd says it, and what only gateways say.
local identity = { "X-Auth-Workspace", "X-Auth-Jti", "X-Auth-Scope", "X-Auth-Expires" }
local gateways = { "X-Original-URI", "X-Original-URL", "X-Forwarded-Uri", "X-Auth-Required-Scope" }

-- What a client may have in its Connection header: whatever else it names there, Apache would take away
-- before it passes the request on, and that might be what ntd said.
local hops = { "close", "keep-alive", "upgrade" }

-- Takes a header away, also if it is spelt X_Auth-Workspace: many a framework reads that alike.
local function take_away(r, name, from)
    local hyphen = name:find("-", from, true)
    if not hyphen then
        r.headers_in[name] = nil
        return
    end
    for _, other in ipairs { "-", "_" } do
        take_away(r, name:sub(1, hyphen - 1) .. other .. name:sub(hyphen + 1), hyphen + 1)
    end
end

function ask(r)
    for _, names in ipairs { identity, gateways } do
        for _, name in ipairs(names) do
            take_away(r, name, 1)
        end
    end

    local sent, kept = (r.headers_in["Connection"] or ""):lower(), {}
    for _, hop in ipairs(hops) do
        if sent:find(hop, 1, true) then
            kept[#kept + 1] = hop
        end
    end
    r.headers_in["Connection"] = table.concat(kept, ", ")

    -- The token, the path as the client sent it, and the client's address, and nothing else. A UUID
    -- in the path, as in /<workspace>/…, binds the request to that workspace: tokens of others get 403.
    local question = {
        ["Authorization"] = r.headers_in["Authorization"],
        ["X-Original-URI"] = r.unparsed_uri,
        ["X-Forwarded-For"] = r.useragent_ip,
    }
    local nobody = ltn12.sink.null()
    local asked, status, headers = http.request { url = ntd, headers = question, sink = nobody, redirect = false }

    if asked and status == 200 then
        for _, name in ipairs(identity) do
            r.headers_in[name] = headers[name:lower()] or ""
        end
        -- The API does not need the token, so it does not get it.
        r.headers_in["Authorization"] = nil
        return apache2.OK
    end
    if asked and (status == 401 or status == 403) then
        r.err_headers_out["WWW-Authenticate"] = headers["www-authenticate"]
        return status
    end
    -- Whatever else it is, nobody has said that the token is good.
    r.err_headers_out["Retry-After"] = "1"
    return 503
end
