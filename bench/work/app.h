/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads of class `app` that live in files of their own; the table is in app.c. */
#pragma once
#include <stdint.h>

uint64_t app_lua_fib(uint32_t n);
uint64_t app_lua_tables(uint32_t n);
uint64_t app_lua_strings(uint32_t n);
uint64_t app_lua_trees(uint32_t n);

void app_sql_prepare(void);
uint64_t app_sql_insert(uint32_t n);
uint64_t app_sql_select(uint32_t n);
uint64_t app_sql_update(uint32_t n);
uint64_t app_sql_mix(uint32_t n);
