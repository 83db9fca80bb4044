/* snapshot_save.c - one version of the state into an archive, and from there to who asked. */
#include "snapshot.h"

#include "archive/archive.h"
#include "base/metrics.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COPY_BYTES 65536u
#define NICENESS   10

static int write_file(void *user, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(*(const int *)user, p, len);
        if (n <= 0) {
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_file(void *user, void *buf, size_t *len)
{
    ssize_t n = read(*(const int *)user, buf, *len);
    *len = n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 0;
}

/* The version of this moment, written at the disk's pace: a client that reads slowly holds no
 * version open. */
static bool write_state(struct snapshot_job *j, int fd, struct archive_meta *m)
{
    struct catalog_reader *r;
    if (catalog_reader_create(j->server->catalog, &r) != CATALOG_OK) {
        return snapshot__fail(j, "out of memory");
    }
    catalog_read_begin(r);
    m->index = catalog_read_index(r);
    uint64_t began = loop_now_ns();
    int rc = catalog_snapshot_write(r, write_file, &fd);
    int why = errno;
    metric_since(METRIC_FSM_PERSIST, began);
    metric_since(METRIC_RAFT_SNAPSHOT_PERSIST, began);
    catalog_read_end(r);
    catalog_reader_destroy(r);
    off_t size = lseek(fd, 0, SEEK_CUR);
    if (rc != CATALOG_OK || size < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return snapshot__fail(j, "failed to write snapshot: %s",
                              rc == CATALOG_EIO ? strerror(why) : catalog_strerror(rc));
    }
    m->size = (uint64_t)size;
    return true;
}

static bool write_archive(struct snapshot_job *j, const struct snapshot_view *view, int state,
                          int archive, struct archive_meta *m)
{
    char err[ARCHIVE_ERROR_MAX];
    m->term = view->term;
    m->configuration_index = view->configuration.index;
    snprintf(m->id, sizeof m->id, "%llu-%llu-%lld", (unsigned long long)m->term,
             (unsigned long long)m->index, (long long)(loop_now_unix_ns() / (int64_t)MU_MSEC));
    if (!archive_write(m, &view->configuration, read_file, &state, write_file, &archive, err)) {
        return snapshot__fail(j, "failed to write snapshot: %s: %s", err, strerror(errno));
    }
    if (lseek(archive, 0, SEEK_SET) != 0) {
        return snapshot__fail(j, "failed to write snapshot: %s", strerror(errno));
    }
    return true;
}

static void send_archive(struct snapshot_job *j, int archive)
{
    char buf[COPY_BYTES];
    size_t len = sizeof buf;
    while (read_file(&archive, buf, &len) == 0 && len > 0 && snapshot__send(j->fd, buf, len)) {
        len = sizeof buf;
    }
}

static bool save_to(struct snapshot_job *j, const struct snapshot_view *view, int state,
                    int archive)
{
    struct archive_meta m = {.version = 1};
    if (state < 0 || archive < 0 || !write_state(j, state, &m) ||
        !write_archive(j, view, state, archive, &m)) {
        return false;
    }
    struct catalog_query_meta meta = {.index = m.index,
                                      .known_leader = view->known_leader,
                                      .last_contact_ns = (int64_t)view->last_contact_ns};
    if (snapshot__respond(j, &meta)) {
        send_archive(j, archive);
    }
    return true;
}

/* The thread's own priority: it packs for seconds, and whoever serves clients goes first. Elsewhere
 * than on Linux this would be about the whole process. */
static void give_way(void)
{
#ifdef __linux__
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
#endif
}

bool snapshot__save(struct snapshot_job *j, const struct snapshot_view *view)
{
    uint64_t began = loop_now_ns();
    give_way();
    int state = snapshot__temporary(j), archive = snapshot__temporary(j);
    bool ok = save_to(j, view, state, archive);
    if (state >= 0) {
        close(state);
    }
    if (archive >= 0) {
        close(archive);
    }
    metric_since(METRIC_RAFT_SNAPSHOT_TAKE, began);
    return ok;
}
