-- What every script finds: the globals of Redis, each table behind a proxy that cannot be written to.
-- `native` holds what Rust provides, `kind` is "eval" or "function".
local native, kind = ...

local error, type, next, pairs, ipairs, rawget, rawset, tostring = error, type, next, pairs, ipairs, rawget, rawset, tostring
local setmetatable, getmetatable, setfenv, xpcall, pcall = setmetatable, getmetatable, setfenv, xpcall, pcall
local loadstring, load, select, resume, insert = loadstring, load, select, coroutine.resume, table.insert
local collectgarbage, gcinfo, newproxy, tonumber = collectgarbage, gcinfo, newproxy, tonumber
local value_of, bad_argument, is_killed, pause = native.value_of, native.bad_argument, native.is_killed, native.pause

local READONLY = "Attempt to modify a readonly table"

-- The table behind each proxy, and the other way round.
local behind = setmetatable({}, { __mode = "k" })

local function refuse()
  error(READONLY, 2)
end

local function protect(real)
  local proxy = setmetatable({}, { __index = real, __newindex = refuse })
  behind[proxy] = real
  return proxy
end

-- Errors of Rust functions come as objects of their own; scripts see strings and tables.
local function plain(e)
  if type(e) == "userdata" then
    return value_of(e)
  end
  return e
end

-- An error of a script's as it sees it. One for lack of memory may come after much work that has left nothing behind.
local function seen(e)
  e = plain(e)
  if e == "not enough memory" then
    pcall(pause)
  end
  return e
end

local function caught(ok, ...)
  if ok then
    return ok, ...
  end
  local e = seen((...))
  if type(e) == "table" then
    local err = e.err
    if type(err) == "string" or type(err) == "number" then
      return false, err
    end
    return false, e, err
  end
  return false, e
end

local function resumed(ok, ...)
  if ok then
    return ok, ...
  end
  return false, seen((...))
end

local real = {
  _VERSION = _VERSION,
  assert = assert,
  error = error,
  gcinfo = gcinfo,
  ipairs = ipairs,
  rawequal = rawequal,
  select = select,
  tonumber = tonumber,
  tostring = tostring,
  type = type,
  unpack = unpack,
}

function real.pcall(...)
  return caught(pcall(...))
end

-- What ends a script is raised where instructions are not counted, and its handler would run there without end.
function real.xpcall(f, handler)
  return resumed(xpcall(f, function(e)
    if is_killed() then
      return e
    end
    return handler(plain(e))
  end))
end

-- Code above so many bytes is compiled in pieces.
local LONG_CODE = 65536

-- Above so many kilobytes in use, functions that Lua cannot interrupt give way to some that it can.
local CALM = 8 * 1024

-- All of the garbage, in steps. What was garbage when the first round began goes in the second.
local function collect_all()
  for _ = 1, 2 do
    local steps = 0
    while not collectgarbage("step", 0) do
      steps = steps + 1
      if steps % 64 == 0 then
        pause()
      end
    end
  end
end

local COLLECT = { collect = 1, count = 1, restart = 1, setpause = 1, setstepmul = 1, step = 1, stop = 1 }

function real.collectgarbage(...)
  local what, amount = ...
  if what == nil then
    what = "collect"
  elseif type(what) == "number" then
    what = tostring(what)
  elseif type(what) ~= "string" then
    bad_argument(1, "string", ...)
  end
  if not COLLECT[what] then
    bad_argument(1, "invalid option '" .. what .. "'", ...)
  elseif amount ~= nil and not tonumber(amount) then
    bad_argument(2, "number", ...)
  end
  local is_calm = gcinfo() <= CALM
  if what == "collect" then
    if not is_calm then
      collect_all()
      return 0
    end
    pause()
  elseif what == "step" then
    pause()
    for _ = 1, is_calm and 0 or tonumber(amount or 0) / 64 do
      if collectgarbage("step", 64) then
        return true
      end
      pause()
    end
    amount = is_calm and amount or 0
  end
  return collectgarbage(what, amount)
end

function real.rawget(...)
  local t, k = ...
  if type(t) ~= "table" then
    bad_argument(1, "table", ...)
  elseif select("#", ...) < 2 then
    bad_argument(2, "value expected")
  end
  return rawget(behind[t] or t, k)
end

function real.rawset(...)
  local t, k, v = ...
  if type(t) ~= "table" then
    bad_argument(1, "table", ...)
  elseif select("#", ...) < 3 then
    bad_argument(select("#", ...) + 1, "value expected")
  end
  if behind[t] then
    error(READONLY, 0)
  end
  return rawset(t, k, v)
end

function real.setmetatable(...)
  local t, mt = ...
  if type(t) ~= "table" then
    bad_argument(1, "table", ...)
  end
  if behind[t] then
    error(READONLY, 0)
  end
  if select("#", ...) < 2 or (mt ~= nil and type(mt) ~= "table") then
    bad_argument(2, "nil or table expected")
  end
  return setmetatable(t, mt)
end

function real.next(...)
  local t, k = ...
  if type(t) ~= "table" then
    bad_argument(1, "table", ...)
  end
  return next(behind[t] or t, k)
end
local safe_next = real.next

function real.pairs(...)
  local t = ...
  if type(t) ~= "table" then
    bad_argument(1, "table", ...)
  end
  if behind[t] then
    return safe_next, t, nil
  end
  return next, t, nil
end

local globals

local function compiled(f, why)
  if f then
    return setfenv(f, globals)
  end
  return nil, why
end

function real.loadstring(...)
  local code, name = ...
  if type(code) == "number" then
    code = tostring(code)
  elseif type(code) ~= "string" then
    bad_argument(1, "string", ...)
  end
  if code:byte() == 27 then
    return nil, "[string \"" .. code:sub(2, 4) .. "\"]:1: unexpected symbol near 'char(27)'"
  end
  if #code <= LONG_CODE or (name ~= nil and type(name) ~= "string") then
    return compiled(loadstring(code, name))
  end
  -- In pieces, between which the script stands still.
  local at = 1
  local f, why = load(function()
    pause()
    local piece = code:sub(at, at + LONG_CODE - 1)
    at = at + LONG_CODE
    return piece
  end, name or code)
  return compiled(f, plain(why))
end

function real.load(...)
  local reader, name = ...
  if type(reader) ~= "function" then
    bad_argument(1, "function", ...)
  end
  local is_first = true
  local is_binary = false
  local f, why = load(function()
    if is_binary then
      return nil
    end
    local piece = reader()
    if type(piece) == "string" and piece ~= "" and is_first then
      is_first = false
      if piece:byte() == 27 then
        is_binary = true
        return "\1"
      end
    end
    return piece
  end, name)
  if is_binary then
    return nil, "(load):1: unexpected symbol near 'char(27)'"
  end
  return compiled(f, plain(why))
end

-- The libraries.
local function copy(from, names)
  local to = {}
  for name in names:gmatch("%S+") do
    to[name] = from[name]
  end
  return to
end

local string_table = copy(string, "byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper")
for name, f in pairs(native.string) do
  string_table[name] = f
end
string_table.gfind = string_table.gmatch
local math_table = copy(math, [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod
  modf pi pow rad sin sinh sqrt tan tanh]])
math_table.random, math_table.randomseed = native.random, native.randomseed
local table_table = copy(table, "foreach foreachi getn maxn setn")
table_table.concat = native.concat
table_table.remove = native.moving(table.remove, 2)
table_table.insert = native.moving(insert, 3, behind, READONLY)

-- Sorting. Lua's own counts no instructions but those of the function that compares: it has one of ours where there is much to do.
local sort = table.sort
local function is_less_by_itself(a, b)
  return a < b
end

table_table.sort = native.sort(sort, function(t)
  local ok, e = pcall(sort, t, is_less_by_itself)
  if not ok then
    e = plain(e)
    if type(e) == "string" then
      e = e:gsub("^russet:%d+: ", "")
    end
    error(e, 0)
  end
end, function(is_less)
  return function(a, b)
    return is_less(a, b)
  end
end)

-- Walking a table: Lua's own function while little is in use, then one that can be interrupted.
local function walking(own, walk)
  return function(...)
    local t, f = ...
    if type(t) ~= "table" then
      bad_argument(1, "table", ...)
    elseif type(f) ~= "function" then
      bad_argument(2, "function", ...)
    elseif gcinfo() <= CALM then
      return own(t, f)
    end
    return walk(t, f)
  end
end

table_table.foreach = walking(table.foreach, function(t, f)
  for k, v in next, t do
    local result = f(k, v)
    if result ~= nil then
      return result
    end
  end
end)

table_table.foreachi = walking(table.foreachi, function(t, f)
  for i = 1, #t do
    local result = f(i, rawget(t, i))
    if result ~= nil then
      return result
    end
  end
end)

local coroutine_table = copy(coroutine, "create resume running status wrap yield")
function coroutine_table.resume(...)
  return resumed(resume(...))
end

real.string = protect(string_table)
real.math = protect(math_table)
real.table = protect(table_table)
real.coroutine = protect(coroutine_table)
real.os = protect({ clock = os.clock })
real.bit = protect(native.bit)
real.struct = protect(native.struct)
real.cmsgpack = protect(native.cmsgpack)
real.cjson = protect(native.cjson)
if kind ~= "eval" then
  for _, t in ipairs({ native.redis, native.server }) do
    t.breakpoint, t.debug, t.replicate_commands = nil, nil, nil
  end
end
real.redis = protect(native.redis)
real.server = protect(native.server)

local strings = getmetatable("")
strings.__index = string_table
strings.__metatable = protect({ __index = real.string })

setmetatable(real, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
globals = protect(real)
rawset(real, "_G", globals)
local of_globals = protect({ __index = real })

function real.getmetatable(t)
  if type(t) == "table" and behind[t] then
    if t == globals then
      return of_globals
    end
    return nil
  end
  return getmetatable(t)
end

-- While a library is loaded it sees little more than how to register functions; its functions see what scripts see.
local nothing_else = getmetatable(real)
local loading_real = setmetatable({}, nothing_else)
loading_real.redis = protect(setmetatable(native.redis_loading, nothing_else))
loading_real.server = protect(setmetatable(native.server_loading, nothing_else))
local of_library = { __index = loading_real, __newindex = refuse }
local library_globals = setmetatable({}, of_library)
behind[library_globals] = real

-- What the engine asks for.
local where = native.where
local functions = {}

-- Runs where the error happened: what it says, and where.
local function report(e)
  e = plain(e)
  if type(e) ~= "table" then
    e = { err = "ERR " .. tostring(e) }
  end
  local source, line = where()
  if source then
    rawset(e, "source", source)
    rawset(e, "line", line)
  end
  return e
end

local engine = {}

-- Compiles a chunk and keeps it. Returns why not.
function engine.compile(slot, code, name)
  local f, why = loadstring(code, name)
  if not f then
    return why
  end
  functions[slot] = setfenv(f, globals)
  return nil
end

function engine.forget(slot)
  functions[slot] = false
end

engine.xpcall, engine.report = xpcall, report

-- What is to be called to run a script or function.
if kind == "eval" then
  function engine.begin(slot, keys, argv)
    rawset(real, "KEYS", keys)
    rawset(real, "ARGV", argv)
    return functions[slot]
  end
else
  function engine.begin(slot, keys, argv)
    local f = functions[slot]
    return function()
      return f(keys, argv)
    end
  end
end

-- The functions of the library that is loaded, and where each name (which counts in lower case) is among them.
local pending, places = {}, {}

-- Runs a library's code, which registers its functions.
function engine.load(code, name)
  pending, places = {}, {}
  local f, why = loadstring(code, name)
  if not f then
    return nil, why
  end
  setfenv(f, library_globals)
  of_library.__index = loading_real
  local ok, e = xpcall(f, report)
  of_library.__index = real
  return ok, e
end

function engine.register(name, f)
  name = name:lower()
  if places[name] then
    return false
  end
  insert(pending, f)
  places[name] = #pending
  return true
end

-- Keeps what the library registered, in these slots.
function engine.adopt(slots)
  for at, f in ipairs(pending) do
    functions[slots[at]] = f
  end
  pending, places = {}, {}
end

-- Calls and looks up what is the script's, and gives what went wrong as a value.
function engine.call(...)
  return pcall(...)
end

function engine.index(t, k)
  return pcall(function()
    return t[k]
  end)
end

-- Has `tick` called in each round of collecting garbage: many bytes may pass in few instructions. The next thing to be collected
-- is made by the one that goes, or, if there was no memory for it, when the script has ended.
local watched
local function watch()
  newproxy(watched)
end
local is_watching = true

function engine.watch_garbage(tick)
  watched = newproxy(true)
  getmetatable(watched).__gc = function(proxy)
    if proxy ~= watched then
      is_watching = pcall(watch)
      pcall(tick)
    end
  end
  watch()
end

-- What the last script was given is garbage once it has ended.
function engine.let_go()
  rawset(real, "KEYS", nil)
  rawset(real, "ARGV", nil)
end

-- Integer keys may have been put into proxies by functions that write without asking.
function engine.tidy()
  if not is_watching then
    is_watching = pcall(watch)
  end
  for proxy in pairs(behind) do
    if next(proxy) ~= nil then
      for key in pairs(proxy) do
        rawset(proxy, key, nil)
      end
    end
  end
end

return engine
