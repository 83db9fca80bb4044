/* node_log_kit.h - a log in a temporary folder on a disk that fails on demand, and what a restarted
 * server would hear of it. */
#pragma once

#include "node_kit.h"

#include "log.h"

/* What a visitor heard. */
struct heard {
    raft_index base, last;
    raft_term base_term;
    raft_term terms[4096];
    uint8_t types[4096];
    uint64_t sums[4096];
    char warning[256];
    size_t warnings;
};

struct fixture {
    char dir[64];
    struct kit_disk disk;
    struct file_ops ops;
    struct log_config cfg;
    struct heard heard;
    struct raft_node_diag diag;
    struct log *log;
};

int log_setup(void **state);
int log_teardown(void **state);

uint64_t sum(const void *data, size_t len);
int try_open(struct fixture *f); /* closes what is open; what was not committed is lost */
void reopen(struct fixture *f);

/* The data of entry i: its length and bytes follow from the index. */
size_t data_of(raft_index index, uint8_t out[512]);
int append_one(struct fixture *f, raft_index index, raft_term term);
void append(struct fixture *f, raft_index first, raft_index last, raft_term term);
void commit(struct fixture *f);
void expect_entries(const struct fixture *f, raft_index first, raft_index last, raft_term term);
void segment_path(const struct fixture *f, unsigned sequence, char out[PATH_BYTES]);

#define L(name) cmocka_unit_test_setup_teardown(name, log_setup, log_teardown)
