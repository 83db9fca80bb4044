/* file.h - the few things the log and the snapshots do with files; where tests make a disk fail. */
#pragma once

#include "alloc.h"

#include <muster/raft_node.h>

#include <stdarg.h>
#include <sys/types.h>

#define PATH_BYTES 4096

/* What can fail for reasons of the disk. Each returns 0 (create: a descriptor) or a negative
 * errno. */
struct file_ops {
    void *user;
    int (*create)(void *user, const char *path); /* for reading and writing; emptied if it exists */
    int (*allocate)(void *user, int fd, uint64_t bytes);
    /* All or an error */
    int (*write)(void *user, int fd, const void *data, size_t len, uint64_t offset);
    int (*sync)(void *user, int fd);
    /* Names that were made, moved or removed in dir are durable only after this. */
    int (*sync_dir)(void *user, const char *dir);
};
extern const struct file_ops raft_node__posix_ops;

/* Where log lines go; log may be NULL. */
struct node_log {
    void *user;
    void (*log)(void *user, enum mu_level level, const char *line);
};
void raft_node__logf(const struct node_log *l, enum mu_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Formats into diag (may be NULL) and returns code. */
int raft_node__fail(struct raft_node_diag *diag, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a failed system call: "cannot <what> <path>: <reason>". err is positive or
 * negative. */
int raft_node__fail_io(struct raft_node_diag *diag, int err, const char *what, const char *path);

bool raft_node__path(char out[PATH_BYTES], const char *dir, const char *name); /* false: too long */
/* The whole file, freed with mu__free. Errors: _EIO, _ENOMEM, _ECORRUPT (longer than max). */
int raft_node__read_file(const struct mu_allocator *a, const char *path, uint64_t max,
                         uint8_t **data, size_t *len, struct raft_node_diag *diag);
/* Reads exactly len bytes; 0 or a negative errno (-ENODATA: the file ends before). */
int raft_node__pread(int fd, void *buf, size_t len, uint64_t offset);

/* Names of the form <prefix><16 hexadecimal digits><suffix>. */
bool raft_node__parse_name(const char *name, const char *prefix, const char *suffix,
                           uint64_t *number);
