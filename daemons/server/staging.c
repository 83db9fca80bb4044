#include "staging.h"

#include "archive/archive.h"
#include "cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct staging {
    uint64_t id, total;
    uint8_t *data;
    size_t len, cap;
    size_t read; /* by staging_restore */
};

size_t staging_write_head(uint8_t out[STAGING_HEAD], enum staging_step step, uint64_t id,
                          uint64_t at)
{
    struct mu__writer w = mu__writer_fixed(out, STAGING_HEAD);
    mu__write_u8(&w, SERVER_ENTRY_RESTORE);
    mu__write_u8(&w, (uint8_t)step);
    mu__write_u64be(&w, id);
    if (step == STAGING_BEGIN || step == STAGING_PART) {
        mu__write_u64be(&w, at);
    }
    return w.len;
}

uint64_t staging_id(const struct staging *s)
{
    return s->id;
}

void staging_drop(struct staging **s)
{
    if (*s) {
        free((*s)->data);
        free(*s);
        *s = NULL;
    }
}

static enum staging_outcome refuse(struct staging **s, const char **error, const char *why)
{
    staging_drop(s);
    *error = why;
    return STAGING_REFUSED;
}

static enum staging_outcome begin(struct staging **s, uint64_t id, uint64_t total,
                                  const char **error)
{
    staging_drop(s);
    if (total == 0 || total > ARCHIVE_BYTES_MAX) {
        return refuse(s, error, "restore: an archive of this length cannot be");
    }
    *s = calloc(1, sizeof **s);
    if (!*s) {
        abort();
    }
    (*s)->id = id;
    (*s)->total = total;
    return STAGING_TAKEN;
}

static void append(struct staging *s, const uint8_t *data, size_t len)
{
    if (s->len + len > s->cap) {
        size_t cap = s->cap * 2 > s->len + len ? s->cap * 2 : s->len + len;
        cap = cap < s->total ? cap : (size_t)s->total;
        s->data = realloc(s->data, cap);
        if (!s->data) {
            abort();
        }
        s->cap = cap;
    }
    memcpy(s->data + s->len, data, len);
    s->len += len;
}

static enum staging_outcome take_part(struct staging **s, struct mu__reader *r, const char **error)
{
    uint64_t at = mu__read_u64be(r);
    size_t len = mu__reader_left(r);
    const uint8_t *data = mu__read_bytes(r, len);
    if (r->failed || at != (*s)->len || len > (*s)->total - (*s)->len) {
        return refuse(s, error, "restore: a piece of the archive is out of place");
    }
    append(*s, data, len);
    return STAGING_TAKEN;
}

enum staging_outcome staging_take(struct staging **s, const void *entry, size_t len,
                                  const char **error)
{
    struct mu__reader r = mu__reader(entry, len);
    (void)mu__read_u8(&r);
    uint8_t step = mu__read_u8(&r);
    uint64_t id = mu__read_u64be(&r);
    if (r.failed) {
        return refuse(s, error, "restore: the entry is cut short");
    }
    if (step == STAGING_BEGIN) {
        uint64_t total = mu__read_u64be(&r);
        return r.failed ? refuse(s, error, "restore: the entry is cut short")
                        : begin(s, id, total, error);
    }
    if (!*s || (*s)->id != id) { /* of an attempt that was given up: the one at hand goes on */
        *error = "restore: it was given up for another one";
        return step == STAGING_ABORT ? STAGING_TAKEN : STAGING_REFUSED;
    }
    switch (step) {
    case STAGING_PART:
        return take_part(s, &r, error);
    case STAGING_COMMIT:
        return (*s)->len == (*s)->total ? STAGING_COMPLETE
                                        : refuse(s, error, "restore: the archive is not complete");
    case STAGING_ABORT:
        staging_drop(s);
        return STAGING_TAKEN;
    default:
        return refuse(s, error, "restore: a step that this release does not know");
    }
}

static int read_gathered(void *user, void *buf, size_t *len)
{
    struct staging *s = user;
    size_t left = s->len - s->read;
    *len = *len < left ? *len : left;
    memcpy(buf, s->data + s->read, *len);
    s->read += *len;
    return 0;
}

const char *staging_restore(struct staging **staging, struct catalog *c, uint64_t index,
                            struct catalog_touched **touched)
{
    static _Thread_local char why[ARCHIVE_ERROR_MAX];
    struct staging *s = *staging;
    struct archive_reader *a;
    int rc = CATALOG_EIO;
    *touched = NULL;
    if (archive_open(read_gathered, s, &a, why)) {
        rc = catalog_restore_entry(c, index, archive_read_state, a, touched);
        if (rc == CATALOG_ENOMEM) {
            abort();
        }
        snprintf(why, sizeof why, "%s",
                 archive_error(a)[0] ? archive_error(a) : catalog_strerror(rc));
        archive_close(a);
    }
    staging_drop(staging);
    return rc == CATALOG_OK ? NULL : why;
}
