/* check_internal.h - between check.c and the kinds of checks. */
#pragma once

#include "agent/check.h"
#include "arena.h"
#include "schema.h"

#include <stdio.h>

struct check_kind {
    void *(*create)(struct check *c); /* the kind's own part; NULL when out of memory */
    void (*run)(void *kind);          /* one attempt; ends in check__done, now or later */
    void (*abort)(void *kind);        /* forget the attempt under way: no check__done any more */
    void (*destroy)(void *kind);      /* nothing is under way */
    void (*expired)(void *kind); /* the attempt took longer than its timeout: ends in check__done */
};
extern const struct check_kind check__http, check__tcp, check__grpc, check__docker, check__script;

struct check {
    struct check_world *world;
    struct catalog_check_type *type; /* own copy, in one block */
    const struct check_kind *kind;   /* NULL: TTL */
    void *own;                       /* the kind's */
    struct event *timer; /* next run, or the timeout of this one, or the end of the TTL */
    bool running;
    int64_t interval_ns, timeout_ns;
    size_t output_max;
    int64_t successes, failures; /* consecutive */
    enum check_status last;      /* what was reported last, or believed at the start */
    uint64_t due_ns;             /* when the run under way, or the last one, was to begin */
    check_report_fn report;
    void *arg;
    uint64_t deadline_ns; /* TTL */
    char *last_output;    /* TTL: for the text of expiry */
    size_t last_output_len;
};

/* Ends the attempt; the kind has cut what it captured to output_max. The check may be gone
 * afterwards. */
void check__done(struct check *c, enum check_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void check__done_with(struct check *c, enum check_status status, struct mu_str output);

/* The last `cap` bytes of what was written to it: output is wanted at its end, where errors
 * stand. */
struct check__tail {
    char *data;
    size_t cap, len, at; /* at: where the next byte goes; len <= cap */
    uint64_t total;
};
bool check__tail_init(struct check__tail *t, size_t cap);
void check__tail_reset(struct check__tail *t);
void check__tail_write(struct check__tail *t, const void *p, size_t len);
/* Brings the bytes into order; lends. */
struct mu_str check__tail_text(struct check__tail *t);
void check__tail_fini(struct check__tail *t);

/* Ends the attempt of a program: says how much of its output was kept, if that is not all. */
void check__done_captured(struct check *c, enum check_status status, struct check__tail *output);

/* A name that is no address is looked up by the world's resolver, made at the first call. NULL:
 * cannot be had. */
struct evdns_base *check__dns(struct check_world *w);
/* "host:port", "[v6]:port"; host without brackets in a buffer. False when malformed. */
bool check__split_host_port(struct mu_str s, char *host, size_t cap, uint16_t *port);
#define CHECK__ADDRESS_MAX 64u
/* "127.0.0.1:80", "[::1]:80", or nothing: of this end of a connection. */
void check__address_of(int fd, char out[CHECK__ADDRESS_MAX]);
const char *check__go_error(int error); /* as Go words an errno */
/* Why an address cannot be dialled: `dial tcp: address x: missing port in address`. */
void check__address_fault(struct mu_str address, char *out, size_t cap);
/* Text as Go quotes it, cut to what fits. */
void check__quote(struct mu_str s, char *out, size_t cap);
/* The TLS of all checks, made at the first call. NULL: cannot be had. */
struct check__tls *check__world_tls(struct check_world *w);
/* The words of Go for a failed connect: `dial tcp 127.0.0.1:1: connect: connection refused`.
 * dns_error: of evdns, or 0. */
void check__dial_error(const char *host, uint16_t port, int dns_error, int error, char *out,
                       size_t cap);
