#include "agent/leaf_maker.h"

#include "alloc.h"
#include "schema.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

struct leaf_maker {
    struct loop *core, *loop;
    atomic_bool stopping;
};

static int fill(void *user, unsigned char *out, size_t len)
{
    (void)user;
    while (len > 0) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0) {
            return -1;
        }
        out += n;
        len -= (size_t)n;
    }
    return 0;
}

/* ---- On the thread ---- */

static int make(struct leaf_order *o)
{
    const struct ca_random random = {fill, NULL};
    const struct ca_csr_request request = {.uri = mu__cstr(o->uri)};
    struct ca_key *key;
    int rc = ca_key_create(CA_EC, 256, &random, NULL, &key);
    if (rc) {
        return rc;
    }
    rc = ca_csr_write(key, &request, &random, o->csr, sizeof o->csr, &o->csr_len);
    if (!rc) {
        rc = ca_key_write_pem(key, o->key, sizeof o->key, &o->key_len);
    }
    ca_key_destroy(key);
    return rc;
}

static void on_done(void *arg)
{
    struct leaf_order *o = arg;
    o->done(o);
}

static void on_order(void *arg)
{
    struct leaf_order *o = arg;
    o->error = atomic_load(&o->maker->stopping) ? CA_EINVAL : make(o);
    loop_post(o->maker->core, on_done, o);
}

/* ---- On the core loop ---- */

struct leaf_maker *leaf_maker_create(struct loop *core)
{
    struct leaf_maker *m = calloc(1, sizeof *m);
    if (!m) {
        return NULL;
    }
    m->core = core;
    atomic_init(&m->stopping, false);
    m->loop = loop_create("leaf");
    if (!m->loop || loop_start(m->loop)) {
        loop_destroy(m->loop);
        free(m);
        return NULL;
    }
    return m;
}

void leaf_maker_destroy(struct leaf_maker *m)
{
    if (!m) {
        return;
    }
    atomic_store(&m->stopping, true);
    loop_stop(m->loop);
    loop_join(m->loop);
    loop_destroy(m->loop);
    free(m);
}

void leaf_maker_order(struct leaf_maker *m, struct leaf_order *o)
{
    o->maker = m;
    loop_post(m->loop, on_order, o);
}

void leaf_order_free(struct leaf_order *o)
{
    if (o) {
        mu__wipe(o, sizeof *o);
        free(o);
    }
}
