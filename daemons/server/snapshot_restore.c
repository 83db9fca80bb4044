/* snapshot_restore.c - an archive becomes the state of all servers: checked whole here first, so
 * that what enters the log is known to be good. */
#include "snapshot.h"

#include "archive/archive.h"
#include "base/log.h"
#include "base/metrics.h"
#include "staging.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define MODULE       "agent.server.snapshot"
#define PART_BYTES   ((size_t)512 * 1024) /* of an archive in one entry of the log */
#define BUSY_WAIT_US 20000
#define BUSY_TRIES   500

/* ---- The archive, in a file ---- */

static bool receive(struct snapshot_job *j, int fd, uint64_t *size)
{
    char buf[65536];
    ssize_t n;
    *size = 0;
    while ((n = snapshot__receive(j, buf, sizeof buf)) > 0) {
        *size += (uint64_t)n;
        if (*size > ARCHIVE_BYTES_MAX) {
            return snapshot__fail(j, "failed to read snapshot file: it is larger than %llu bytes",
                                  (unsigned long long)ARCHIVE_BYTES_MAX);
        }
        for (ssize_t at = 0, w; at < n; at += w) {
            w = write(fd, buf + at, (size_t)(n - at));
            if (w <= 0) {
                return snapshot__fail(j, "failed to keep the snapshot: %s", strerror(errno));
            }
        }
    }
    if (n < 0) {
        return snapshot__fail(j, "the connection was lost before the snapshot was complete");
    }
    return true;
}

static int read_file(void *user, void *buf, size_t *len)
{
    ssize_t n = read(*(const int *)user, buf, *len);
    *len = n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 0;
}

/* ---- The check ---- */

struct sniffer {
    struct archive_reader *archive;
    uint64_t read;
    bool is_foreign;
};

/* The state, whose first bytes tell whose it is. */
static int read_state(void *user, void *buf, size_t *len)
{
    static const char magic[] = "muster catalog\n";
    struct sniffer *s = user;
    int rc = archive_read_state(s->archive, buf, len);
    if (rc == 0 && s->read == 0) {
        size_t n = *len < sizeof magic - 1 ? *len : sizeof magic - 1;
        s->is_foreign = n == 0 || memcmp(buf, magic, n) != 0;
    }
    s->read += *len;
    return rc;
}

/* Reads on to the end, where the archive is checked; false: the state went on. */
static bool read_rest(struct sniffer *s, bool *went_on)
{
    char buf[4096];
    size_t len;
    *went_on = false;
    do {
        len = sizeof buf;
        if (archive_read_state(s->archive, buf, &len) != 0) {
            return false;
        }
        *went_on = *went_on || len > 0;
    } while (len > 0);
    return true;
}

static bool explain(struct snapshot_job *j, const struct sniffer *s, int rc, bool went_on)
{
    if (archive_error(s->archive)[0]) {
        return snapshot__fail(j, "%s", archive_error(s->archive));
    }
    if (s->is_foreign) {
        return snapshot__fail(j, "failed to restore snapshot: its state.bin is not one of muster; "
                                 "archives of Consul cannot be restored here");
    }
    if (went_on) {
        return snapshot__fail(j, "failed to restore snapshot: state.bin goes on behind its end");
    }
    return snapshot__fail(j, "failed to restore snapshot: %s", catalog_strerror(rc));
}

/* Restores it into a catalog that nobody sees: what passes here passes everywhere. */
static bool check(struct snapshot_job *j, int fd)
{
    char err[ARCHIVE_ERROR_MAX];
    struct sniffer s = {.read = 0};
    struct catalog *scratch;
    bool went_on = false;
    if (lseek(fd, 0, SEEK_SET) != 0 || !archive_open(read_file, &fd, &s.archive, err)) {
        return snapshot__fail(j, "%s", err);
    }
    int rc = catalog_create(NULL, &scratch);
    if (rc == CATALOG_OK) {
        rc = catalog_restore_entry(scratch, 1, read_state, &s, NULL);
        catalog_destroy(scratch);
    }
    /* A state that cannot be read is less than an archive that is damaged: that is told first. */
    bool whole = read_rest(&s, &went_on);
    bool ok = rc == CATALOG_OK && whole && !went_on;
    if (!ok) {
        explain(j, &s, rc, went_on);
    }
    archive_close(s.archive);
    return ok;
}

/* ---- Through the log ---- */

static bool propose(struct snapshot_job *j, const void *entry, size_t len)
{
    struct write_result *result = NULL;
    int rc = RAFT_EBUSY;
    for (int i = 0; i < BUSY_TRIES && rc == RAFT_EBUSY; i++) {
        if (i > 0) {
            usleep(BUSY_WAIT_US);
        }
        rc = snapshot__ask_propose(j, entry, len, &result);
    }
    bool ok = rc == RAFT_OK && !(result && result->kind == CATALOG_RESULT_ERROR);
    if (rc != RAFT_OK) {
        snapshot__fail(j, "failed to restore snapshot: %s",
                       rc == RAFT_ELOST || rc == RAFT_ENOTLEADER
                           ? "leadership lost while committing log"
                           : raft_node_strerror(rc));
    } else if (!ok) {
        snapshot__fail(j, "failed to restore snapshot: %s", result->error);
    }
    free(result);
    return ok;
}

static bool propose_step(struct snapshot_job *j, enum staging_step step, uint64_t id, uint64_t at)
{
    uint8_t head[STAGING_HEAD];
    return propose(j, head, staging_write_head(head, step, id, at));
}

static bool propose_parts(struct snapshot_job *j, int fd, uint64_t size, uint64_t id)
{
    uint8_t *entry = malloc(STAGING_HEAD + PART_BYTES);
    bool ok = entry != NULL && lseek(fd, 0, SEEK_SET) == 0;
    for (uint64_t at = 0; ok && at < size;) {
        size_t head = staging_write_head(entry, STAGING_PART, id, at);
        size_t len = PART_BYTES;
        if (read_file(&fd, entry + head, &len) != 0 || len == 0) {
            ok = snapshot__fail(j, "failed to read snapshot file: %s", strerror(errno));
        } else {
            ok = propose(j, entry, head + len);
            at += len;
        }
    }
    if (!entry) {
        snapshot__fail(j, "out of memory");
    }
    free(entry);
    return ok;
}

static bool replicate(struct snapshot_job *j, int fd, uint64_t size)
{
    uint64_t id;
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
        return snapshot__fail(j, "no random numbers can be had");
    }
    bool ok = propose_step(j, STAGING_BEGIN, id, size) && propose_parts(j, fd, size, id) &&
              propose_step(j, STAGING_COMMIT, id, 0);
    if (!ok) {
        char why[SNAPSHOT_ERROR_MAX];
        memcpy(why, j->error, sizeof why);
        (void)!propose_step(j, STAGING_ABORT, id, 0); /* or the next leader gives it up */
        memcpy(j->error, why, sizeof why);
    }
    return ok;
}

/* ---- One at a time ---- */

static bool enter(struct snapshot_job *j)
{
    struct snapshots *all = j->server->snapshots;
    pthread_mutex_lock(&all->lock);
    bool is_free = !all->restoring;
    all->restoring = true;
    pthread_mutex_unlock(&all->lock);
    return is_free || snapshot__fail(j, "another snapshot is being restored");
}

static void leave(struct snapshot_job *j)
{
    struct snapshots *all = j->server->snapshots;
    pthread_mutex_lock(&all->lock);
    all->restoring = false;
    pthread_mutex_unlock(&all->lock);
}

bool snapshot__restore(struct snapshot_job *j)
{
    uint64_t size, began = loop_now_ns();
    int fd = snapshot__temporary(j);
    bool ok = fd >= 0 && receive(j, fd, &size) && check(j, fd) && enter(j);
    if (ok) {
        ok = replicate(j, fd, size);
        leave(j);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!ok) {
        log_warn(MODULE, "a snapshot was not restored: %s", j->error);
        return false;
    }
    metric_since(METRIC_RAFT_FSM_RESTORE, began);
    struct catalog_query_meta none = {.index = 0};
    (void)!snapshot__respond(j, &none);
    return true;
}
