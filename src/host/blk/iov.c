/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/base.h"
#include "host/blk/impl.h"

unsigned blk_cursor_window(const struct blk_cursor *c, struct iovec v[BLK_WINDOW_IOVS],
                           uint64_t limit, size_t *n_bytes)
{
    size_t skip = c->skip, sum = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_iov && n < BLK_WINDOW_IOVS && sum < limit; i++) {
        size_t len = MIN((uint64_t)(c->iov[i].iov_len - skip), limit - sum);

        if (len > 0) {
            v[n++] = (struct iovec){ (uint8_t *)c->iov[i].iov_base + skip, len };
            sum += len;
        }
        skip = 0;
    }
    *n_bytes = sum;
    return n;
}

void blk_cursor_advance(struct blk_cursor *c, size_t n_bytes)
{
    n_bytes += c->skip;
    while (c->n_iov > 0 && n_bytes >= c->iov[0].iov_len) {
        n_bytes -= c->iov[0].iov_len;
        c->iov++;
        c->n_iov--;
    }
    assert(c->n_iov > 0 || n_bytes == 0);
    c->skip = n_bytes;
}

void blk_cursor_copy(struct blk_cursor *c, void *buf, size_t n_bytes, bool to_buf)
{
    uint8_t *at = buf;

    while (n_bytes > 0) {
        struct iovec v[BLK_WINDOW_IOVS];
        size_t sum;
        unsigned n = blk_cursor_window(c, v, n_bytes, &sum);

        assert(sum > 0);
        for (unsigned i = 0; i < n; i++) {
            if (to_buf) {
                memcpy(at, v[i].iov_base, v[i].iov_len);
            } else {
                memcpy(v[i].iov_base, at, v[i].iov_len);
            }
            at += v[i].iov_len;
        }
        blk_cursor_advance(c, sum);
        n_bytes -= sum;
    }
}

void blk_cursor_zero(struct blk_cursor *c, uint64_t n_bytes)
{
    while (n_bytes > 0) {
        struct iovec v[BLK_WINDOW_IOVS];
        size_t sum;
        unsigned n = blk_cursor_window(c, v, n_bytes, &sum);

        assert(sum > 0);
        for (unsigned i = 0; i < n; i++) {
            memset(v[i].iov_base, 0, v[i].iov_len);
        }
        blk_cursor_advance(c, sum);
        n_bytes -= sum;
    }
}
