/* SPDX-License-Identifier: Apache-2.0 */
/* Lua: calls, tables, strings, garbage.  Each chunk is a function of the repeat count that
 * returns an integer. */
#include "app.h"
#include "work.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t run(const char *chunk, uint32_t n)
{
    lua_State *l = luaL_newstate();
    uint64_t result;

    luaL_openlibs(l);
    if (luaL_loadstring(l, chunk) != LUA_OK) {
        fprintf(stderr, "lua: %s\n", lua_tostring(l, -1));
        exit(1);
    }
    lua_pushinteger(l, n);
    if (lua_pcall(l, 1, 1, 0) != LUA_OK) {
        fprintf(stderr, "lua: %s\n", lua_tostring(l, -1));
        exit(1);
    }
    result = lua_tointeger(l, -1);
    lua_close(l);
    return result;
}

uint64_t app_lua_fib(uint32_t n)
{
    return run("local function fib(n) if n < 2 then return n end"
               "  return fib(n - 1) + fib(n - 2) end\n"
               "local h = 0\n"
               "for i = 1, (...) do h = h + fib(15 + i % 3) end\n"
               "return h\n", n);
}

/* Arrays, records with named fields, a table with integer and string keys; sorting with a
 * comparison function. */
uint64_t app_lua_tables(uint32_t n)
{
    return run("local n, seed, h = ..., 42, 0\n"
               "local function rnd() seed = (seed * 1103515245 + 12345) & 0x7fffffff"
               "  return seed >> 8 end\n"
               "for i = 1, n do\n"
               "  local list, by_name = {}, {}\n"
               "  for k = 1, 250 do\n"
               "    local r = { id = k, key = rnd() % 1000, name = 'k' .. rnd() % 100 }\n"
               "    list[k] = r\n"
               "    by_name[r.name] = (by_name[r.name] or 0) + r.key\n"
               "  end\n"
               "  table.sort(list, function(a, b)"
               "    if a.key ~= b.key then return a.key < b.key end return a.id < b.id end)\n"
               "  for k, r in ipairs(list) do h = (h * 31 + r.id * k + by_name[r.name])"
               "    & 0xffffffff end\n"
               "  for k = #list, 1, -1 do if list[k].key % 3 == 0 then"
               "    list[k] = list[#list] list[#list] = nil end end\n"
               "  h = h + #list\n"
               "end\n"
               "return h\n", n);
}

uint64_t app_lua_strings(uint32_t n)
{
    return run("local h = 0\n"
               "for i = 1, (...) do\n"
               "  local parts = {}\n"
               "  for k = 1, 60 do\n"
               "    parts[#parts + 1] = string.format('%d:%s:%x', k * i, ('ab'):rep(k % 7), k)\n"
               "  end\n"
               "  local s = table.concat(parts, ',')\n"
               "  local words = 0\n"
               "  for a, b in s:gmatch('(%d+):(%a*)') do words = words + #b + tonumber(a) end\n"
               "  local t = s:gsub('ab', 'xyz'):upper():reverse()\n"
               "  h = h + words + #t + (t:find('9:1', 1, true) or 0)\n"
               "  for k = 1, #t, 7 do h = (h * 33 + t:byte(k)) & 0xffffffff end\n"
               "end\n"
               "return h\n", n);
}

/* Trees that are built and dropped: the allocator and the garbage collector. */
uint64_t app_lua_trees(uint32_t n)
{
    return run("local function make(d) if d == 0 then return {} end"
               "  return { make(d - 1), make(d - 1) } end\n"
               "local function count(t) if not t[1] then return 1 end"
               "  return 1 + count(t[1]) + count(t[2]) end\n"
               "local h, long = 0, make(10)\n"
               "for i = 1, (...) do h = h + count(make(4 + i % 6)) end\n"
               "return h + count(long)\n", n);
}
