/* node.h - what the parts of a swim node share.
 *
 *     create.c    config, keys, start, rejoin    node.c     work, timer, leave
 *     udp.c       datagrams in batches           address.c  swim_addr and sockaddr, text
 *     tcp.c       streams                        lookup.c   names to addresses, on a thread
 *     snapshot.c  who was there, for a restart   join.c     joins and what went wrong with them
 *     file.c      writing files whole            keyfile.c  the keyring on disk
 *     ask.c       queries and whoever asked them */
#pragma once

#include "alloc.h"

#include <event2/event.h>
#include <muster/swim_node.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { DATAGRAM_MAX = 65536, IN_BATCH = 16, OUT_BATCH = 64, OUT_BYTES = 2 * DATAGRAM_MAX };

struct node_udp {
    int fd;
    struct event *readable, *writable;
    uint8_t *in;  /* IN_BATCH datagrams; pages that no datagram reaches are never touched */
    uint8_t *out; /* OUT_BYTES: copies of what the core lent, for one system call */
    size_t out_used, out_count, out_sent;
    size_t out_len[OUT_BATCH];
    struct sockaddr_storage out_to[OUT_BATCH];
    bool blocked; /* the kernel takes no more; writable tells when it does again */
};

struct stream;
struct node_tcp {
    int fd;
    struct event *readable, *pause; /* pause: no descriptors were left; accept again later */
    struct stream *streams;
    size_t count, count_max;
    uint8_t *buf;
};

struct asked;
struct join;
struct snapshot;

struct swim_node {
    struct mu_allocator allocator;
    struct event_base *base;
    struct swim *swim;
    struct swim_addr bound;
    struct event *timer; /* the core's deadline */
    struct event *kick;  /* made active to do work from the loop, outside of any call */
    struct node_udp udp;
    struct node_tcp tcp;
    struct join *joins;
    struct asked *asked;
    struct snapshot *snapshot; /* NULL: none */
    struct event *snapshot_timer;
    char *keyring_path; /* NULL: none */
    void (*leave_done)(void *user);
    void *leave_user;
    void (*on_event)(void *user, const struct swim_event *ev);
    void *user;
    void (*log)(void *user, enum mu_level level, const char *line);
    void *log_user;
    enum mu_level log_level;
    bool in_callback; /* the loop is inside the node: it must not be destroyed */
};

/* ---- node.c ---- */
void swim_node__work(struct swim_node *n); /* from the loop: advance, drain, re-arm */
void swim_node__kick(struct swim_node *n); /* have that done from the loop, soon */
void swim_node__log(const struct swim_node *n, enum mu_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void swim_node__why(char *why, size_t cap, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct timeval swim_node__timeval(uint64_t ns); /* rounded up */
/* Events, once core and sockets are there. */
int swim_node__start(struct swim_node *n, size_t streams_max);

/* ---- address.c ---- */
/* For a socket of `family`; IPv4 on an IPv6 socket is mapped. 0 when it does not fit. */
socklen_t swim_node__to_sockaddr(const struct swim_addr *a, int family,
                                 struct sockaddr_storage *out);
bool swim_node__from_sockaddr(const struct sockaddr_storage *sa, struct swim_addr *out);
bool swim_node__is_wildcard(const struct swim_addr *a);
int swim_node__family(const struct swim_addr *a);
#define IP_TEXT 48u
const char *swim_node__ip_text(const struct swim_addr *a, char out[IP_TEXT]); /* without the port */
/* Splits "[name/]host[:port]". host gets at most cap bytes with its zero. False when malformed. */
bool swim_node__split_host(const char *text, uint16_t default_port, char *host, size_t cap,
                           uint16_t *port);

/* ---- udp.c, tcp.c ---- */
/* Binds both to one address; with port 0 to a port that is free for both. Fills n->bound. */
int swim_node__bind(struct swim_node *n, const struct swim_addr *addr, size_t receive_buffer,
                    char *why, size_t cap);
int swim_node__udp_start(struct swim_node *n);
/* Takes in what has come, answers it, and does what is due. */
void swim_node__udp_receive(struct swim_node *n);
void swim_node__udp_flush(struct swim_node *n);
void swim_node__udp_close(struct swim_node *n);
int swim_node__tcp_start(struct swim_node *n, size_t streams_max);
void swim_node__tcp_open(struct swim_node *n, const struct swim_stream *stream);
void swim_node__tcp_close(struct swim_node *n);

/* ---- lookup.c ---- */
struct lookup;
/* addrs is NULL and error a sentence when there is none. Called from the loop, once, unless
 * cancelled. */
typedef void (*lookup_fn)(void *arg, const struct swim_addr *addrs, size_t n, const char *error);
struct lookup *swim_node__lookup(struct swim_node *n, const char *host, uint16_t port, lookup_fn fn,
                                 void *arg);
void swim_node__lookup_cancel(struct lookup *l);

/* ---- join.c ---- */
int swim_node__join_start(struct swim_node *n, const char *const *addrs, size_t naddrs,
                          bool first_only, swim_node_join_fn fn, void *user);
/* Why a stream broke. */
void swim_node__join_note(struct swim_node *n, uint32_t stream, const char *error);
void swim_node__join_result(struct swim_node *n, uint32_t stream, int err);
void swim_node__join_advance_all(struct swim_node *n);
void swim_node__join_abort_all(struct swim_node *n);

/* ---- ask.c ---- */
/* An ACK, ANSWER, QUERY_DONE or KEY_RESULT finds whoever asked; false for everything else. */
bool swim_node__asked_event(struct swim_node *n, const struct swim_event *ev);
void swim_node__asked_abort_all(struct swim_node *n);

/* ---- file.c ---- */
enum { PATH_BYTES = 4096 };
bool swim_node__write_all(int fd, const void *data, size_t len); /* false with errno */
/* Puts data in the place of the file at path, by way of a file beside it; a crash leaves the old or
 * the new one. False with errno, and then the old one is still there. */
bool swim_node__replace_file(const char *path, const char *suffix, const void *data, size_t len,
                             unsigned mode);

/* ---- keyfile.c ---- */
struct keyset {
    struct mu_str *keys; /* raw bytes */
    size_t n, cap;
};
void swim_node__keyset_fini(struct swim_node *n, struct keyset *k); /* wipes */
int swim_node__keyset_add_base64(struct swim_node *n, struct keyset *k, const char *text,
                                 size_t len);
/* Reads the keyring file. *found is false, and nothing else happens, when there is none. */
int swim_node__keyfile_read(struct swim_node *n, struct keyset *k, bool *found, char *why,
                            size_t cap);
bool swim_node__keyfile_write(struct swim_node *n, const struct mu_str *keys, size_t nkeys);
/* For swim_config.store_keys; failure is logged. */
int swim_node__keyfile_save(void *node, const struct mu_str *keys, size_t nkeys);

/* ---- snapshot.c ---- */
struct snapshot_clocks {
    uint64_t member, event, query;
};
/* node.c: the core's, as the file has them. */
struct snapshot_clocks swim_node__clocks(const struct swim_node *n);
/* Opens and replays the file. seed is one that strangers, who choose names, cannot guess. NULL on
 * failure, with a sentence in why. */
struct snapshot *swim_node__snapshot_open(const struct mu_allocator *a, const char *path,
                                          bool rejoin_after_leave, uint64_t seed, char *why,
                                          size_t cap);
void swim_node__snapshot_close(struct snapshot *s); /* flushes */
struct snapshot_clocks swim_node__snapshot_clocks(const struct snapshot *s);
/* Walks "host:port" of the nodes that were alive, except the one of that name; *at starts at 0. */
const char *swim_node__snapshot_next(const struct snapshot *s, size_t *at, const char *except);
void swim_node__snapshot_alive(struct snapshot *s, struct mu_str name,
                               const struct swim_addr *addr);
void swim_node__snapshot_not_alive(struct snapshot *s, struct mu_str name);
void swim_node__snapshot_left(struct snapshot *s); /* nothing is recorded after it */
/* True: something is new. */
bool swim_node__snapshot_set_clocks(struct snapshot *s, struct snapshot_clocks now);
/* Writes out what is new, and compacts. False, once, when the disk refuses: it goes on trying. */
bool swim_node__snapshot_flush(struct snapshot *s);
