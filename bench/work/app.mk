# SPDX-License-Identifier: Apache-2.0
# make -f app.mk SRC=… OUT=… CC=… AR=…: OUT/libapp.a and OUT/include from the sources that
# tools/fetch-sources puts into SRC (.cache/src).  The same options for guest and host; without
# zstd's assembly, so that both run the same C, and with a fixed seed for Lua's hashes.
CC ?= cc
AR ?= ar
CFLAGS = -O2 -w
Z = $(SRC)/zlib
ZSTD = $(SRC)/libzstd/lib
LUA = $(SRC)/lua5.4/src
SQL = $(OUT)/../sqlite

vpath %.c $(Z) $(ZSTD)/common $(ZSTD)/compress $(ZSTD)/decompress $(LUA)
names = adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr zutil
names += $(basename $(notdir $(wildcard $(ZSTD)/common/*.c $(ZSTD)/compress/*.c \
	$(ZSTD)/decompress/*.c)))
names += $(filter-out lua luac, $(basename $(notdir $(wildcard $(LUA)/*.c))))
objects = $(addprefix $(OUT)/, $(addsuffix .o, $(names) sqlite3))
headers = $(Z)/zlib.h $(Z)/zconf.h $(ZSTD)/zstd.h $(ZSTD)/zstd_errors.h $(LUA)/lua.h \
	$(LUA)/luaconf.h $(LUA)/lualib.h $(LUA)/lauxlib.h $(SQL)/sqlite3.h

$(OUT)/libapp.a: $(objects) $(headers)
	mkdir -p $(OUT)/include
	cp $(headers) $(OUT)/include
	rm -f $@
	$(AR) rc $@ $(objects)

$(OUT)/%.o: %.c
	@mkdir -p $(OUT)
	$(CC) $(CFLAGS) -DZSTD_DISABLE_ASM -DXXH_NAMESPACE=ZSTD_ -DLUA_USE_POSIX \
		'-Dluai_makeseed(l)=1' -DHAVE_UNISTD_H -c -o $@ $<

$(OUT)/sqlite3.o: $(SQL)/sqlite3.c
	@mkdir -p $(OUT)
	$(CC) $(CFLAGS) -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -c -o $@ $<

# One file of all of SQLite, made by its own makefile (needs tclsh), which has a SRC of its own.
MAKEOVERRIDES =
$(SQL)/sqlite3.c $(SQL)/sqlite3.h &:
	mkdir -p $(SQL)
	$(MAKE) -s -C $(SQL) -f $(abspath $(SRC))/sqlite3/Makefile.linux-gcc \
		TOP=$(abspath $(SRC))/sqlite3 sqlite3.c >$(SQL)/log 2>&1
