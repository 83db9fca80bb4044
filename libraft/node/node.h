/* node.h - what the files of the driver share: the core, its disk, its connections and those who
 * wait for answers.
 *
 * Facts reach the core wherever they happen (a frame, a finished write, a proposal); what the core
 * wants done is done in one place, raft_node__drive, which a "kick" runs once per turn of the loop.
 * So all that came in during a turn shares one persist, one message to each peer and one batch of
 * entries to apply, and no callback runs inside a call. */
#pragma once

#include "disk.h"
#include "snapshot.h"
#include "transport.h"

#include <stdatomic.h>

/* Somebody who waits for done. In one list at a time. */
struct request {
    struct request *next;
    raft_node_done_fn done; /* may be NULL */
    void *arg;
    raft_index index; /* proposal: of its entry */
    raft_term term;
    uint64_t read_id;
    int status; /* once answered */
    void *result;
};
struct requests { /* a queue */
    struct request *first, **last;
    size_t count;
};

struct persist_job; /* persist.c */
struct save_job;    /* save.c */

/* Fields stand by theme. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct raft_node {
    struct raft_node_config cfg; /* its strings point into the fields below */
    char id[RAFT_ID_MAX + 1], address[RAFT_ADDRESS_MAX + 1], cluster[CLUSTER_MAX + 1];
    char dir[PATH_BYTES];
    struct mu_allocator allocator;
    struct node_log log;
    const struct file_ops *ops;
    int lock_fd;

    struct raft *core;
    struct raft_entry *decode_room; /* RAFT_MESSAGE_ENTRIES_MAX, for incoming messages */
    struct event *timer, *kick;
    uint64_t timer_at_ns; /* what the timer is set to; MU_NEVER: not set */
    struct transport *transport;
    struct mailbox mailbox;
    bool has_mailbox;
    struct log *disk_log; /* the disk thread's while there is one */
    struct disk *disk;

    bool is_driving;
    bool is_kicked, is_turning; /* to be driven soon; is being driven, by the loop */
    int failure;                /* not 0: the node is dead, or about to be at the next kick */
    bool is_failed;
    struct raft_node_diag failure_text;
    bool is_disk_full;

    struct persist_job *persist_first,
        **persist_last; /* queued and not yet durable, oldest first */
    raft_index compacted_to;

    struct requests proposals; /* ascending by index, all of proposal_term */
    raft_term proposal_term;
    struct requests reads;
    struct requests answers; /* their done is due */
    uint64_t next_read_id;

    raft_term last_applied_term;
    raft_index saved_index; /* of the newest snapshot file, and of the one before it (0: none) */
    raft_term saved_term;
    raft_index older_saved_index;
    uint64_t save_due_ns;   /* the threshold asks for no snapshot before */
    uint64_t save_retry_at; /* applied index from which on a failed snapshot is tried again */
    struct save_job *save;
    struct install install; /* the disk thread's */

    /* What was told to the host last. */
    bool told_leadership;
    raft_term told_term;
    char told_leader[RAFT_ID_MAX + 1], told_address[RAFT_ADDRESS_MAX + 1];

    _Atomic uint64_t lease_until, applied_index;
    atomic_bool is_leader;
};

uint64_t raft_node__now(void);

/* The core's own defaults for these are the ones in raft.h; a frame has room for the largest
 * message they allow. */
#define RAFT_NODE__MESSAGE_BYTES ((size_t)512 << 10)
#define RAFT_NODE__CHUNK_BYTES   ((size_t)256 << 10)
#define RAFT_NODE__MESSAGE_OVERHEAD                                                                \
    ((size_t)256 << 10) /* ids, configuration, headers of RAFT_MESSAGE_ENTRIES_MAX entries */
#define RAFT_NODE__DISK_RETRY_NS (200 * MU_MSEC)

/* config.c */
int raft_node__config_check(const struct raft_node_config *cfg, struct raft_node_config *out,
                            struct raft_node_diag *diag);
void raft_node__config_copy(struct raft_node *n, const struct raft_node_config *cfg);
/* raft_node_create on another disk than the real one. */
int raft_node__create(const struct raft_node_config *cfg, const struct file_ops *ops,
                      struct raft_node **out, struct raft_node_diag *diag);

/* node.c */
void raft_node__kick(struct raft_node *n); /* drive soon */
void raft_node__fail_node(struct raft_node *n, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* start.c: everything up to raft_start. On failure raft_node_destroy cleans up. */
int raft_node__open(struct raft_node *n, struct raft_node_diag *diag);

/* drive.c */
void raft_node__drive(struct raft_node *n);
void raft_node__publish(struct raft_node *n); /* the atomics and the timer */

/* persist.c */
/* False: out of memory. */
bool raft_node__persist(struct raft_node *n, const struct raft_persist *p);
bool raft_node__load(struct raft_node *n, const struct raft_load *l);
bool raft_node__compact(struct raft_node *n, raft_index first);
/* How long it has been queued; 0: none. */
uint64_t raft_node__oldest_write_ns(const struct raft_node *n);

/* install.c */
bool raft_node__write_chunk(struct raft_node *n, const struct raft_snapshot_write *chunk);
/* Gives the snapshot of index to the state machine. */
int raft_node__restore_machine(struct raft_node *n, raft_index index, struct raft_node_diag *diag);

/* save.c */
void raft_node__maybe_save(struct raft_node *n);
/* Waits for its thread; its letter is then in the mailbox. */
void raft_node__stop_saving(struct raft_node *n);
bool raft_node__is_saving(const struct raft_node *n);
/* A new file is there. */
void raft_node__note_snapshot(struct raft_node *n, raft_index index, raft_term term);

/* request.c */
void raft_node__requests_init(struct requests *q);
struct request *raft_node__request(struct raft_node *n, raft_node_done_fn done, void *arg);
void raft_node__requests_push(struct requests *q, struct request *r);
struct request *raft_node__requests_pop(struct requests *q); /* NULL when empty */
void raft_node__answer(struct raft_node *n, struct request *r, int status, raft_index index,
                       void *result);
void raft_node__answer_all(struct raft_node *n, struct requests *q, int status);
void raft_node__run_answers(struct raft_node *n);
