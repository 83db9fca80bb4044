/* raft_host.h - a simulated server: the raft core, a journal on a simulated disk, and a state
 * machine that is one register.
 *
 * The register's value is the index of the last write that it applied, so the log is the order of
 * all writes and a read is stale exactly when it gives a lower index than a write or read that
 * ended before it began. Beside it there are HOST_KEYS keys for the first HISTORY_MAX operations of
 * a run, which clients write, compare-and-set and read; what they saw is judged at the end. */
#pragma once

#include "linear.h"
#include "raft_cover.h"
#include "world.h"

#include <core.h>

#define HOST_KEYS   4
#define HISTORY_MAX 2000

struct checks;

struct host_entry {
    raft_index index;
    raft_term term;
    enum raft_entry_type type;
    uint8_t *data;
    size_t len;
};

struct host_snapshot {
    raft_index index; /* 0: none */
    raft_term term;
    raft_index configuration_index;
    uint8_t *configuration, *data;
    size_t configuration_len, len;
};

/* What an entry asks of the keys: the head of its data. */
struct host_command {
    uint64_t op;     /* its place in the history, and one less than what it writes */
    uint64_t is_cas; /* all are 64 bits wide: any bytes are a command */
    uint64_t expected;
};

/* A client's write that waits to be applied. */
struct host_write {
    raft_index index, floor; /* it must come after floor */
    raft_term term;
};

struct host_read { /* a client's read that waits for its quorum */
    uint64_t id;
    raft_index floor; /* it may not give less */
    uint64_t op;      /* in the history; beyond it: not recorded */
};

struct host_options {
    struct raft_config raft;           /* id, seed, user and trace are set per host */
    uint64_t sync_min_ns, sync_max_ns; /* of a disk */
    uint32_t stall;                    /* chance per million that a sync takes stall_ns more */
    uint64_t stall_ns;
    raft_index snapshot_every; /* entries */
    int32_t drift_ppm;         /* clocks run within +- this */
    uint32_t rot;              /* chance per million that a chunk of a snapshot is read wrongly */
    bool has_rot;              /* or was so, until the faults ended */
    uint32_t chunk_damage;     /* and that it is damaged where no transport notices */
    bool same_snapshots;       /* of one state are equal on all servers */
    bool is_lease_void;        /* clocks are worse than a lease can bear */
};

struct host {
    struct world *w;
    struct checks *checks;
    const struct host_options *options;
    unsigned i;
    unsigned damage; /* so many of the next chunks that it sends are damaged on the way */
    char id[16];
    unsigned id_number; /* how often it came back as another */
    int32_t drift_ppm;
    struct raft *r; /* NULL: down */
    uint64_t generation;
    uint64_t paused_until;
    uint64_t clock_base;
    uint64_t tick_at; /* world time of the newest timer; MU_NEVER: none */
    bool is_full;     /* the disk: what is written does not become durable */
    bool told_full;   /* the core: it is not electable */
    bool was_leader;
    uint64_t hopeless_since;        /* by its clock: it leads and cannot write. 0: no */
    raft_index configuration_index; /* newest seen */
    raft_term asked_term;           /* it campaigned in it since it was asked to */
    raft_term leader_term;
    uint64_t n_drains;

    /* Disk. The fields below the journal are what it says, as the page cache sees it. */
    struct world_disk journal;
    bool is_syncing;
    bool is_snapshotting; /* a snapshot of its own waits for its sync */
    bool is_held;         /* syncs do not end until it is released */
    uint64_t written_id;  /* newest persist in the journal */
    struct raft_hard_state hard;
    struct host_entry *log;
    size_t n_log, cap_log;
    raft_index log_next, log_first;
    struct host_snapshot snapshots[2]; /* newest first */

    /* State machine. */
    raft_index applied;
    uint64_t state_hash;
    raft_index value; /* of the register: index of the last write */
    uint64_t keys[HOST_KEYS];

    uint8_t *incoming; /* a snapshot from the leader */
    size_t incoming_len, incoming_cap;
    struct host_snapshot installing;

    struct host_write *writes;
    size_t n_writes, cap_writes;
    struct host_read *reads;
    size_t n_reads, cap_reads;
};

/* What all servers must agree on. */
struct check_entry {
    raft_term term;
    raft_term known_in; /* it was committed in this term at the latest */
    uint64_t hash;      /* of type and data */
    uint64_t state;     /* of the state machine after it */
};

struct checks {
    struct check_entry *entries; /* [i - 1]: entry i */
    size_t n, cap;
    unsigned *leaders; /* [term]: node + 1; 0: none seen */
    size_t n_leaders, cap_leaders;
    raft_index floor; /* newest write that some client knows of */
    struct linear_op history[HISTORY_MAX];
    size_t n_history;
    uint64_t moment; /* its clock */
    unsigned n_hosts;
    uint64_t writes, reads, lease_reads, lost_reads;
    struct raft_stats stats; /* of all lives of all servers that are over */
    struct cover cover;
};

_Noreturn void sim_fail(struct world *w, const char *what); /* sim_raft.c */
/* What a scenario may want to know at once: h has granted a vote, has become leader. */
void sim_voted(struct host *h);
void sim_elected(struct host *h);
#define CHECK(w, condition) ((condition) ? (void)0 : sim_fail((w), #condition))

void host_init(struct host *h, struct world *w, struct checks *checks,
               const struct host_options *options, unsigned i);
void host_fini(struct host *h);
void host_start(struct host *h); /* from what is on the disk */
void host_crash(struct host *h);
void host_hold_disk(struct host *h, bool hold);
void host_fill_disk(struct host *h, bool full);
void host_lose_folder(struct host *h); /* crashes, and starts as another server */
void host_set_drift(struct host *h, int32_t drift_ppm);
void host_saw(const struct host *h, enum seen what);
void host_bootstrap(struct host *h, unsigned n_servers);
void host_drain(struct host *h); /* does what the core wants done, and checks */
uint64_t host_now(const struct host *h);
bool host_is_running(const struct host *h); /* up and not paused */
void host_propose(struct host *h, unsigned n, size_t bytes);
void host_read(struct host *h, uint64_t id);
void host_check_lease(struct host *h);
struct host *host_of(struct world *w, unsigned i);

/* For the files of a host. Events after its end are dropped, and late while it is paused. */
struct host *host_awake(struct world *w, struct world_event *e, bool needs_generation);
struct world_event *host_after(struct host *h, uint64_t delay, world_fn fn, const void *data,
                               size_t len);
uint64_t host_disk_delay(const struct host *h);
void host_start_sync(struct host *h);

/* raft_machine.c: also host_propose, host_read, host_check_lease */
void machine_write(const struct host *h, struct mu__writer *w);
bool machine_read(struct host *h, const uint8_t *data, size_t len); /* false: damaged */
void machine_apply(struct host *h, const struct raft_entry *e);
void machine_answer(struct host *h, const struct raft_read_result *result);

/* raft_files.c */
void host_take_snapshot(struct host *h);
void host_receive_chunk(struct host *h, const struct raft_snapshot_write *c);
void host_load(struct host *h, const struct raft_load *l);

/* raft_disk.c */
void *sim_room(void *items, size_t *cap, size_t need, size_t size); /* grows an array, or aborts */
uint8_t *sim_copy(const void *p, size_t len);
struct raft_entry disk_entry(const struct host_entry *e); /* lends the data */
void disk_snapshot_free(struct host_snapshot *s);
void disk_snapshot_take(struct host *h, struct host_snapshot s); /* the newest from now on */
void disk_write_hard(struct host *h, const struct raft_hard_state *hs);
void disk_write_entries(struct host *h, const struct raft_persist *p);
void disk_write_snapshot(struct host *h, const struct host_snapshot *s);
void disk_write_first(struct host *h, raft_index first);
/* Up to the first record that is not whole; cuts the journal there. */
void disk_replay(struct host *h);
void disk_forget(struct host *h); /* the view, not the journal */

/* raft_describe.c */
void sim_describe(const struct raft_trace *ev, char *buf, size_t size);

/* raft_checks.c */
void checks_fini(struct checks *c);
void checks_applied(struct world *w, struct checks *c, const struct host *h,
                    const struct raft_entry *e);
void checks_leader(struct world *w, struct checks *c, struct host *h);
void checks_log_matching(struct world *w, const struct host *a, const struct host *b);
void checks_add_stats(struct raft_stats *sum, const struct raft_stats *s);
/* A client calls for something to be done with a key: gives its place in the history, HISTORY_MAX
 * if that is full. */
uint64_t checks_call(struct checks *c, enum linear_kind kind, uint64_t key, uint64_t expected);
void checks_return(struct checks *c, uint64_t op, enum linear_kind kind, uint64_t value);
void checks_history(struct world *w, const struct checks *c); /* at the end of a run */
void checks_knows(struct checks *c, raft_index index);        /* some client knows of this write */
uint64_t sim_fnv(uint64_t hash, const void *p, size_t len);
