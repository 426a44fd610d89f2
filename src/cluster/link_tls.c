/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 with a pre-shared key under a link, by GnuTLS.
 *
 * The key is SHA-256 over a label and the secret file's bytes, so that the file may hold
 * anything.  (EC)DHE is always part of the exchange: who learns the secret later cannot read
 * what was recorded.  One thread sends while another receives, which GnuTLS allows for one
 * session as long as nothing is renegotiated; TLS 1.3 has no renegotiation, and tickets are
 * off. */
#include "cluster/link_priv.h"

#include "base/err.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 32
#define KEY_LABEL "pando link key 1\n"
#define SECRET_BYTES_MAX (1u << 20)
#define USER "pando"
#define PRIORITY "SECURE128:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK:" \
                 "-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305"

struct link_secret {
    uint8_t key[KEY_BYTES];
};

static bool read_all(int fd, uint8_t *buf, size_t max, size_t *n)
{
    ssize_t k;

    *n = 0;
    while (*n < max && (k = read(fd, buf + *n, max - *n)) != 0) {
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return false;
        }
        *n += k;
    }
    return true;
}

struct link_secret *link_secret_load(const char *path, struct err *e)
{
    struct link_secret *s = NULL;
    gnutls_hash_hd_t h;
    uint8_t *buf = NULL;
    struct stat st;
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, "secret file '%s': %s", path, strerror(errno));
        goto out;
    }
    if (S_ISREG(st.st_mode) && (st.st_mode & 077)) {
        log_warn("cluster", "secret file '%s' is open to other users (mode %03o); chmod 600 it",
                 path, st.st_mode & 0777);
    }
    buf = malloc(SECRET_BYTES_MAX);
    if (!buf || !read_all(fd, buf, SECRET_BYTES_MAX, &n)) {
        err_set(e, "secret file '%s': %s", path, strerror(errno));
        goto out;
    }
    if (n == 0 || n == SECRET_BYTES_MAX) {
        err_set(e, "secret file '%s' has %s; make one with: head -c 32 /dev/urandom > '%s'",
                path, n ? "a megabyte or more" : "nothing in it", path);
        goto out;
    }
    s = calloc(1, sizeof *s);
    if (!s || gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0) {
        err_set(e, "secret file '%s': out of memory", path);
        free(s);
        s = NULL;
        goto out;
    }
    gnutls_hash(h, KEY_LABEL, strlen(KEY_LABEL));
    gnutls_hash(h, buf, n);
    gnutls_hash_deinit(h, s->key);
out:
    if (buf) {
        explicit_bzero(buf, n);
    }
    free(buf);
    if (fd >= 0) {
        close(fd);
    }
    return s;
}

void link_secret_free(struct link_secret *s)
{
    if (s) {
        explicit_bzero(s, sizeof *s);
        free(s);
    }
}

/* ---- the session ---- */

static int server_key(gnutls_session_t tls, const char *user, gnutls_datum_t *key)
{
    const struct link *l = gnutls_session_get_ptr(tls);

    if (strcmp(user, USER)) {
        return -1;
    }
    key->data = gnutls_malloc(KEY_BYTES);
    if (!key->data) {
        return -1;
    }
    memcpy(key->data, l->secret->key, KEY_BYTES);
    key->size = KEY_BYTES;
    return 0;
}

static ssize_t push(gnutls_transport_ptr_t ctx, const giovec_t *iov, int n)
{
    struct link *l = ctx;
    ssize_t sum = 0;

    _Static_assert(sizeof(giovec_t) == sizeof(struct iovec), "the same struct");
    for (int i = 0; i < n; i++) {
        sum += iov[i].iov_len;
    }
    if (!link_raw_send(l, (const struct iovec *)iov, n)) {
        gnutls_transport_set_errno(l->tls, EPIPE);
        return -1;
    }
    return sum;
}

static ssize_t pull(gnutls_transport_ptr_t ctx, void *buf, size_t n)
{
    struct link *l = ctx;
    ssize_t k = link_raw_recv(l, buf, n);

    if (k < 0) {
        gnutls_transport_set_errno(l->tls, errno);
    }
    return k;
}

/* GnuTLS asks before it pulls during a handshake; our pull has the deadline itself. */
static int pull_timeout(gnutls_transport_ptr_t ctx, unsigned ms)
{
    return 1;
}

static bool handshake_failed(struct link *l, bool server, int rc, struct err *e)
{
    int alert = rc == GNUTLS_E_FATAL_ALERT_RECEIVED ? gnutls_alert_get(l->tls) : -1;
    bool secret = rc == GNUTLS_E_ILLEGAL_PARAMETER || rc == GNUTLS_E_DECRYPTION_FAILED ||
                  rc == GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER ||
                  rc == GNUTLS_E_INSUFFICIENT_CREDENTIALS ||
                  alert == GNUTLS_A_DECRYPT_ERROR || alert == GNUTLS_A_ILLEGAL_PARAMETER ||
                  alert == GNUTLS_A_UNKNOWN_PSK_IDENTITY || alert == GNUTLS_A_BAD_RECORD_MAC ||
                  alert == GNUTLS_A_HANDSHAKE_FAILURE;

    if (secret) {
        return err_set(e, "%s: the secret is not the same as ours", l->peer);
    }
    if (rc == GNUTLS_E_PREMATURE_TERMINATION || rc == GNUTLS_E_PULL_ERROR) {
        return err_set(e, "%s: closed during the TLS handshake%s", l->peer,
                       server ? "" : " (is it started with a secret, too?)");
    }
    return err_set(e, "%s: TLS: %s", l->peer,
                   alert >= 0 ? gnutls_alert_get_name(alert) : gnutls_strerror(rc));
}

bool link_tls_start(struct link *l, bool server, struct err *e)
{
    gnutls_datum_t key = { (uint8_t *)l->secret->key, KEY_BYTES };
    int rc;

    rc = gnutls_init(&l->tls, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS |
                              GNUTLS_NO_SIGNAL);
    if (rc < 0) {
        return err_set(e, "%s: TLS: %s", l->peer, gnutls_strerror(rc));
    }
    gnutls_session_set_ptr(l->tls, l);
    rc = gnutls_priority_set_direct(l->tls, PRIORITY, NULL);
    if (rc >= 0 && server) {
        rc = gnutls_psk_allocate_server_credentials(&l->tls_server);
        if (rc >= 0) {
            gnutls_psk_set_server_credentials_function(l->tls_server, server_key);
            gnutls_psk_set_server_known_dh_params(l->tls_server, GNUTLS_SEC_PARAM_MEDIUM);
            rc = gnutls_credentials_set(l->tls, GNUTLS_CRD_PSK, l->tls_server);
        }
    } else if (rc >= 0) {
        rc = gnutls_psk_allocate_client_credentials(&l->tls_client);
        if (rc >= 0) {
            rc = gnutls_psk_set_client_credentials(l->tls_client, USER, &key,
                                                   GNUTLS_PSK_KEY_RAW);
        }
        if (rc >= 0) {
            rc = gnutls_credentials_set(l->tls, GNUTLS_CRD_PSK, l->tls_client);
        }
    }
    if (rc < 0) {
        return err_set(e, "%s: TLS: %s", l->peer, gnutls_strerror(rc));
    }
    gnutls_transport_set_ptr(l->tls, l);
    gnutls_transport_set_vec_push_function(l->tls, push);
    gnutls_transport_set_pull_function(l->tls, pull);
    gnutls_transport_set_pull_timeout_function(l->tls, pull_timeout);
    gnutls_handshake_set_timeout(l->tls, GNUTLS_INDEFINITE_TIMEOUT);
    mutex_lock(&l->send_lock);
    do {
        rc = gnutls_handshake(l->tls);
    } while (rc < 0 && !gnutls_error_is_fatal(rc));
    if (rc < 0) {
        handshake_failed(l, server, rc, e);
        gnutls_alert_send_appropriate(l->tls, rc);
    }
    mutex_unlock(&l->send_lock);
    return rc >= 0;
}

bool link_tls_send(struct link *l, const void *buf, size_t n)
{
    const uint8_t *p = buf;

    while (n) {
        ssize_t k = gnutls_record_send(l->tls, p, n);

        if (k == GNUTLS_E_AGAIN || k == GNUTLS_E_INTERRUPTED) {
            continue;
        }
        if (k < 0) {
            return false;
        }
        p += k;
        n -= k;
    }
    return true;
}

ssize_t link_tls_recv(struct link *l, void *buf, size_t n)
{
    for (;;) {
        ssize_t k = gnutls_record_recv(l->tls, buf, n);

        if (k >= 0) {
            return k;
        }
        if (k == GNUTLS_E_AGAIN || k == GNUTLS_E_INTERRUPTED) {
            continue;
        }
        if (k == GNUTLS_E_PREMATURE_TERMINATION) {
            return 0;
        }
        if (k == GNUTLS_E_PULL_ERROR) {
            return -1;      /* errno is link_raw_recv()'s */
        }
        link_break(l, gnutls_strerror(k));
        errno = EBADMSG;
        return -1;
    }
}

void link_tls_end(struct link *l)
{
    if (l->tls) {
        gnutls_deinit(l->tls);
    }
    if (l->tls_client) {
        gnutls_psk_free_client_credentials(l->tls_client);
    }
    if (l->tls_server) {
        gnutls_psk_free_server_credentials(l->tls_server);
    }
}
