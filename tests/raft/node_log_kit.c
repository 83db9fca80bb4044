#include "node_log_kit.h"

#include <stdio.h>

uint64_t sum(const void *data, size_t len)
{
    uint64_t v = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) {
        v = (v ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    return v;
}

static void hear_reset(void *user, raft_index index, raft_term term)
{
    struct heard *h = user;
    h->base = h->last = index;
    h->base_term = term;
}

static int hear_entry(void *user, const struct raft_entry *e)
{
    struct heard *h = user;
    assert_int_equal(e->index, h->last + 1);
    h->last = e->index;
    h->terms[e->index % 4096] = e->term;
    h->types[e->index % 4096] = (uint8_t)e->type;
    h->sums[e->index % 4096] = sum(e->data, e->len);
    return 0;
}

static void hear_cut(void *user, raft_index index)
{
    struct heard *h = user;
    assert_true(index >= h->base && index <= h->last);
    h->last = index;
}

static void hear_log(void *user, enum mu_level level, const char *line)
{
    struct heard *h = user;
    if (level >= MU_WARN) {
        h->warnings++;
        snprintf(h->warning, sizeof h->warning, "%.255s", line);
    }
}

int log_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_make_dir(f->dir);
    f->ops = kit_ops(&f->disk);
    f->cfg = (struct log_config){
        .dir = f->dir,
        .segment_bytes = 64 * 1024,
        .entry_bytes_max = 1024 * 1024,
        .ops = &f->ops,
        .allocator = mu__malloc_allocator,
        .log = {.user = &f->heard, .log = hear_log},
    };
    *state = f;
    return 0;
}

int log_teardown(void **state)
{
    struct fixture *f = *state;
    raft_node__log_close(f->log);
    kit_remove_dir(f->dir);
    free(f);
    return 0;
}

int try_open(struct fixture *f)
{
    raft_node__log_close(f->log);
    f->log = NULL;
    memset(&f->heard, 0, sizeof f->heard);
    struct log_visitor v = {
        .user = &f->heard, .reset = hear_reset, .entry = hear_entry, .cut = hear_cut};
    return raft_node__log_open(&f->cfg, &v, &f->log, &f->diag);
}

void reopen(struct fixture *f)
{
    int rc = try_open(f);
    if (rc != 0) {
        print_message("%s\n", f->diag.text);
    }
    assert_int_equal(rc, 0);
}

size_t data_of(raft_index index, uint8_t out[512])
{
    size_t len = (size_t)(index * 37 % 300);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(index * 7 + i);
    }
    return len;
}

int append_one(struct fixture *f, raft_index index, raft_term term)
{
    uint8_t data[512];
    struct raft_entry e = {.index = index, .term = term, .data = data, .len = data_of(index, data)};
    return raft_node__log_append(f->log, &e, &f->diag);
}

void append(struct fixture *f, raft_index first, raft_index last, raft_term term)
{
    for (raft_index i = first; i <= last; i++) {
        assert_int_equal(append_one(f, i, term), 0);
    }
}

void commit(struct fixture *f)
{
    assert_int_equal(raft_node__log_commit(f->log, &f->diag), 0);
}

void expect_entries(const struct fixture *f, raft_index first, raft_index last, raft_term term)
{
    for (raft_index i = first; i <= last; i++) {
        uint8_t data[512];
        size_t len = data_of(i, data);
        assert_int_equal(f->heard.terms[i % 4096], term);
        assert_true(f->heard.sums[i % 4096] == sum(data, len));
    }
}

void segment_path(const struct fixture *f, unsigned sequence, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/log-%016x.seg", f->dir, sequence);
}
