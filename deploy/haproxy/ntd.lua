-- Asks ntd about each request: the action `lua.ntd` of haproxy.cfg beside this file.
--
-- HAProxy has no forward-auth of its own, but a client that Lua may use (2.5 or later, built with
-- Lua; Debian's is). HAProxy lets a request go on whose action failed, so this one says that a request
-- may pass by a variable, and haproxy.cfg refuses whatever does not have it.
--
-- Never keep a verdict: there is no table of answers here, and none belongs here.

-- What ntd says of a good token, and how a client might spell it: HAProxy has names in lower case,
-- and many a framework reads an underscore as a hyphen.
local identity = { "x-auth-workspace", "x-auth-jti", "x-auth-scope", "x-auth-expires" }

-- What reaches the client of a refusal.
local passed_on = { "content-type", "www-authenticate", "retry-after", "cache-control" }

local function refuse(txn, status, headers, body)
    local reply = txn:reply({ status = status, body = body })
    for name, values in pairs(headers) do
        for _, value in pairs(values) do
            reply:add_header(name, value)
        end
    end
    txn:done(reply)
end

core.register_action("ntd", { "http-req" }, function(txn, ntd)
    local sent = txn.http:req_get_headers()

    -- The token, the path and the client's address, and nothing else that the client sent. A UUID in
    -- the path, as in /<workspace>/…, binds the request to that workspace: tokens of others get 403.
    -- Two Authorization headers are no token: who would say which one the API reads?
    local question = {
        ["x-original-uri"] = { txn.sf:pathq() },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    local credentials = sent["authorization"]
    if credentials and credentials[0] and not credentials[1] then
        question["authorization"] = { credentials[0] }
    end
    -- HAProxy asks up to four times, and waits so many milliseconds each time.
    local answer = core.httpclient():get({ url = ntd, headers = question, timeout = 1250 })
    local status = answer and answer.status or 0

    if status == 200 then
        for _, name in ipairs(identity) do
            local values = answer.headers[name]
            txn.http:req_set_header(name, values and values[0] or "")
        end
        -- The API does not need the token, so it does not get it.
        txn.http:req_del_header("authorization")
        txn:set_var("req.ntd_says", "good")
        return
    end
    if status == 401 or status == 403 then
        local headers = {}
        for _, name in ipairs(passed_on) do
            headers[name] = answer.headers[name]
        end
        refuse(txn, status, headers, answer.body)
    else
        -- Whatever else it is, nobody has said that the token is good.
        refuse(txn, 503, { ["retry-after"] = { "1" } }, "Cannot say now, please try again\n")
    end
end, 1)
