/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device: virtio 1.2, section 5.4. */
#include "dev/virtio/rng.h"

#include "base/base.h"
#include "pando/device.h"

#include <stdlib.h>
#include <sys/random.h>

#define NS_PER_MS INT64_C(1000000)
#define CHUNK_BYTES 256u
#define ANSWER_BYTES_MAX (64 * KiB)     /* of one buffer, however long it is */

struct virtio_rng {
    struct virtio_device v;
    const struct rng_source *source;
    uint64_t max_bytes;             /* in each period */
    uint32_t period_ms;
    uint64_t left;                  /* bytes in this period */
    struct device_timer *next_period;
};

static struct virtio_rng *from(struct virtio_device *v)
{
    return CONTAINER_OF(v, struct virtio_rng, v);
}

static size_t host_random(void *ctx, void *buf, size_t n)
{
    ssize_t got = getrandom(buf, n, GRND_NONBLOCK);

    return got < 0 ? 0 : got;
}

static const struct rng_source host_source = { host_random, NULL };

/* Fills the chain as far as the quota and the source reach.  false: nothing, or broken. */
static bool rng_fill(struct virtio_rng *s, struct virtq_chain *c, uint32_t *written)
{
    uint64_t want = MIN(MIN((uint64_t)c->in_bytes, ANSWER_BYTES_MAX), s->left);
    uint8_t chunk[CHUNK_BYTES];

    for (*written = 0; *written < want;) {
        size_t n = s->source->read(s->source->ctx, chunk, MIN(want - *written, CHUNK_BYTES));

        if (n == 0) {
            break;
        }
        if (!virtq_copy_in(&s->v.vq[0], c, *written, chunk, n)) {
            virtio_break(&s->v, "a buffer outside of memory");
            return false;
        }
        *written += n;
    }
    return *written != 0;
}

static void rng_arm(struct virtio_rng *s)
{
    device_timer_arm(s->next_period, device_now_ns(&s->v.dev) + s->period_ms * NS_PER_MS);
}

static void rng_kick(struct virtio_device *v, unsigned n)
{
    struct virtio_rng *s = from(v);
    struct virtqueue *q = &v->vq[0];
    struct virtq_chain *c;
    uint32_t written;
    bool dry = false;

    while (s->left && virtio_is_running(v)) {
        enum virtq_result r = virtq_pop(q, &c);

        if (r == VIRTQ_EMPTY) {
            break;
        }
        if (r == VIRTQ_BROKEN || c->in_bytes == 0) {
            if (r == VIRTQ_OK) {
                virtq_free(c);
            }
            virtio_break(v, "a malformed chain");
            break;
        }
        if (s->left == s->max_bytes) {
            rng_arm(s);             /* the first bytes of a period */
        }
        if (!rng_fill(s, c, &written)) {
            virtq_unpop(q, c);
            dry = true;
            rng_arm(s);
            break;
        }
        s->left -= written;
        if (!virtq_push(q, c, written)) {
            virtio_break(v, "a used ring outside of memory");
        }
        virtq_free(c);
    }
    virtio_notify(v, 0);
    virtq_kicks_enable(q, true);
    if (!dry && s->left && virtio_is_running(v) && !virtq_is_empty(q)) {
        virtio_kick(v, 0);
    }
}

static void rng_period(struct device *d)
{
    struct virtio_rng *s = from(virtio_from(d));

    s->left = s->max_bytes;
    virtio_kick(&s->v, 0);
}

static void rng_reset(struct virtio_device *v)
{
    from(v)->left = from(v)->max_bytes;
}

static const struct virtio_kind rng_kind = {
    .device_id = 4,
    .kick = rng_kick,
    .reset = rng_reset,
};

static bool rng_realize(struct device *d, struct err *e)
{
    struct virtio_rng *s = from(virtio_from(d));

    if (s->max_bytes == 0 || s->period_ms == 0) {
        return err_set(e, "max-bytes and period are greater than 0");
    }
    if (!s->source) {
        s->source = &host_source;
    }
    s->left = s->max_bytes;
    s->next_period = device_timer_new(d, rng_period, e);
    return s->next_period && virtio_init(&s->v, 1, 8, 0, e);
}

static bool rng_after_load(struct device *d, struct err *e)
{
    from(virtio_from(d))->left = from(virtio_from(d))->max_bytes;
    return true;
}

static const struct device_option rng_options[] = {
    OPTION("rng", struct virtio_rng, source, OPTION_RNG, NULL,
           "where the bytes come from (without it: the host's generator)"),
    OPTION("max-bytes", struct virtio_rng, max_bytes, OPTION_U64, "9223372036854775807",
           "bytes in each period"),
    OPTION("period", struct virtio_rng, period_ms, OPTION_U32, "65536", "in milliseconds"),
    { 0 },
};

extern const struct device_class virtio_rng_class;
const struct device_class virtio_rng_class = {
    .name = "virtio-rng-device",
    .about = "virtio random number generator",
    .bus = "virtio-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct virtio_rng),
    .options = rng_options,
    .realize = rng_realize,
    .after_load = rng_after_load,
    .kind = &rng_kind,
};
