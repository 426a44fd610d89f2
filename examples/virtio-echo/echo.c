/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device as a plug-in: it gives back what it is told, in capital letters.
 *
 *   device number   63                      (of those that nobody has been given)
 *   queue 0         a chain: the text to be read by the device, then as much to be written
 *   feature 0       ECHO_F_REVERSE          backwards as well
 *   configuration   le32 bytes_max          of one text
 *                   le32 answers            texts since the last reset; tells when it changes */
#include <pando/device.h>

#include <stdlib.h>
#include <string.h>

#define ECHO_DEVICE_ID 63
#define ECHO_BYTES_MAX 65536
#define BATCH_MAX 64                /* texts before others get their turn */
enum { ECHO_F_REVERSE = 0 };

struct echo_config {
    uint32_t bytes_max, answers;
};

struct echo {
    struct virtio_device v;         /* first */
    uint32_t bytes_max;             /* option */
    uint32_t answers;
};

static struct echo *from(struct virtio_device *v)
{
    return (struct echo *)v;
}

static void convert(const struct virtio_device *v, const uint8_t *in, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t c = in[virtio_has(v, ECHO_F_REVERSE) ? n - 1 - i : i];

        out[i] = c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
    }
}

/* Copies in and out: the driver can change its buffers meanwhile.  false: it broke the rules. */
static bool answer(struct echo *s, struct virtqueue *q, const struct virtq_chain *c)
{
    uint32_t n = c->out_bytes;
    uint8_t *text;
    bool ok;

    if (n == 0 || n > s->bytes_max || c->in_bytes < n) {
        return false;
    }
    text = (uint8_t *)malloc(2 * (size_t)n);
    if (!text) {
        return virtq_push(q, c, 0);         /* an answer of no bytes */
    }
    ok = virtq_copy_out(q, c, 0, text, n);
    if (ok) {
        convert(&s->v, text, text + n, n);
        ok = virtq_copy_in(q, c, 0, text + n, n) && virtq_push(q, c, n);
    }
    free(text);
    s->answers += ok;
    device_trace(&s->v.dev, "%u bytes", n);
    return ok;
}

static void echo_kick(struct virtio_device *v, unsigned n)
{
    struct virtqueue *q = &v->vq[n];
    enum virtq_result r = VIRTQ_EMPTY;
    struct virtq_chain *c;
    unsigned done = 0;

    virtq_kicks_enable(q, false);
    for (; done < BATCH_MAX && (r = virtq_pop(q, &c)) == VIRTQ_OK; done++) {
        bool ok = answer(from(v), q, c);

        virtq_free(c);
        if (!ok) {
            r = VIRTQ_BROKEN;
            break;
        }
    }
    if (r == VIRTQ_BROKEN) {
        virtio_break(v, "no text, too much of it, or no room for the answer");
        return;
    }
    if (done) {
        virtio_notify(v, n);
        virtio_config_changed(v);
    }
    virtq_kicks_enable(q, true);
    if (!virtq_is_empty(q)) {               /* something came before we asked for kicks again */
        virtio_kick(v, n);
    }
}

static void echo_config_read(struct virtio_device *v, void *config)
{
    struct echo_config *c = (struct echo_config *)config;

    c->bytes_max = from(v)->bytes_max;
    c->answers = from(v)->answers;
}

static void echo_reset(struct virtio_device *v)
{
    from(v)->answers = 0;
}

static const struct virtio_kind echo_kind = {
    .device_id = ECHO_DEVICE_ID,
    .config_bytes = sizeof(struct echo_config),
    .config_read = echo_config_read,
    .kick = echo_kick,
    .reset = echo_reset,
};

static bool echo_realize(struct device *d, struct err *e)
{
    struct virtio_device *v = virtio_from(d);
    uint32_t max = from(v)->bytes_max;

    if (max == 0 || max > ECHO_BYTES_MAX) {
        return err_set(e, "max-bytes=%u: 1 to %u", max, ECHO_BYTES_MAX);
    }
    return virtio_init(v, 1, VIRTIO_QUEUE_SIZE, VIRTIO_BIT(ECHO_F_REVERSE), e);
}

static const struct device_option echo_options[] = {
    OPTION("max-bytes", struct echo, bytes_max, OPTION_U32, "4096", "the longest text"),
    OPTION_END
};

static const struct device_state echo_state[] = {
    STATE(struct echo, answers),
    STATE_END
};

static const struct device_class echo_class = {
    .name = "virtio-echo",
    .about = "virtio device that answers in capital letters",
    .bus = "virtio-bus",
    .user = true,
    .version = 1,
    .size = sizeof(struct echo),
    .options = echo_options,
    .state = echo_state,
    .realize = echo_realize,
    .kind = &echo_kind,
};

DEVICE_PLUGIN(echo_class)
