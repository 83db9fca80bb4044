#include "log.h"

#include "log_internal.h"
#include "snapshot.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* --- The log --- */

struct record_scan {
    raft_node_record_fn fn;
    void *user;
};

static int on_record(void *user, const char *path, uint64_t offset, const struct record *r)
{
    const struct record_scan *s = user;
    /* The public kinds are those on disk. */
    _Static_assert((int)RAFT_NODE_RECORD_ENTRY == (int)RECORD_ENTRY, "entry");
    _Static_assert((int)RAFT_NODE_RECORD_HARD_STATE == (int)RECORD_HARD_STATE, "hard state");
    _Static_assert((int)RAFT_NODE_RECORD_CUT == (int)RECORD_CUT, "cut");
    _Static_assert((int)RAFT_NODE_RECORD_RESET == (int)RECORD_RESET, "reset");
    struct raft_node_record out = {
        .path = path,
        .offset = offset,
        .kind = (enum raft_node_record_kind)r->kind,
        .type = (enum raft_entry_type)r->type,
        .index = r->index,
        .term = r->term,
        .data = r->data,
        .len = r->len,
    };
    return s->fn(s->user, &out);
}

static void describe(const struct log *l, const struct log_tail *tail,
                     struct raft_node_log_info *info)
{
    *info = (struct raft_node_log_info){
        .files = l->segment_count,
        .first_index = l->first_index,
        .last_index = l->last_index,
        .hard = l->hard,
    };
    if (l->segment_count > 0) {
        _Static_assert(sizeof info->last_file == SEGMENT_NAME_BYTES, "a segment's name fits");
        raft_node__segment_name(info->last_file, l->segments[l->segment_count - 1].sequence);
        info->end_offset = tail->end;
        info->torn_bytes = tail->kind == TAIL_TORN ? tail->used - tail->end : 0;
    }
}

int raft_node_log_scan(const char *dir, const struct mu_allocator *allocator,
                       raft_node_record_fn fn, void *user, struct raft_node_log_info *info,
                       struct raft_node_diag *diag)
{
    struct log_config cfg = {
        .dir = dir,
        .entry_bytes_max = RAFT_ENTRY_BYTES_MAX,
        .allocator = mu__allocator_or_default(allocator),
    };
    struct record_scan scan = {.fn = fn, .user = user};
    struct log_visitor visitor = {.user = &scan, .record = on_record};
    struct log *l = raft_node__log_new(&cfg, diag);
    if (!l) {
        return RAFT_ENOMEM;
    }
    struct log_tail tail = {.kind = TAIL_CLEAN};
    int rc = raft_node__log_replay(l, fn ? &visitor : NULL, &tail, diag);
    if (rc == 0 && info) {
        describe(l, &tail, info);
    }
    raft_node__log_close(l);
    return rc;
}

/* --- Snapshots --- */

#define SNAPSHOTS_SEEN 64u /* two are kept; more only where deleting failed again and again */

/* Every byte is checked, and those of the state machine are counted. */
static int read_to_end(struct raft_node_reader *r, uint64_t *bytes, struct raft_node_diag *diag)
{
    *bytes = 0;
    for (;;) {
        uint8_t buf[8192];
        size_t len = sizeof buf;
        int rc = raft_node_snapshot_read(r, buf, &len);
        if (rc != 0) {
            return raft_node__fail(diag, rc, "%s", raft_node__snapshot_diag(r)->text);
        }
        if (len == 0) {
            return 0;
        }
        *bytes += len;
    }
}

static int check(struct raft_node_snapshot_info *s, const struct mu_allocator *a,
                 struct raft_node_diag *diag)
{
    struct raft_node_reader *r;
    int rc = raft_node__snapshot_open(s->path, a, &r, diag);
    if (rc != 0) {
        return rc;
    }
    raft_index index = raft_node__snapshot_meta(r)->index;
    rc = read_to_end(r, &s->bytes, diag);
    if (rc == 0 && index != s->index) {
        rc = raft_node__fail(diag, RAFT_NODE_ECORRUPT,
                             "%.300s holds snapshot %llu: give it its name back", s->path,
                             (unsigned long long)index);
    }
    raft_node__snapshot_close(r);
    return rc;
}

static int visit_good(struct raft_node_snapshot_info *s, const struct mu_allocator *a,
                      raft_node_snapshot_fn fn, void *user, struct raft_node_diag *diag)
{
    int rc = raft_node__snapshot_open(s->path, a, &s->reader, diag);
    if (rc != 0) {
        return rc;
    }
    const struct raft_snapshot_meta *m = raft_node__snapshot_meta(s->reader);
    s->term = m->term;
    s->configuration_index = m->configuration_index;
    s->configuration = m->configuration;
    s->configuration_len = m->configuration_len;
    rc = fn(user, s);
    raft_node__snapshot_close(s->reader);
    return rc;
}

/* *damaged becomes RAFT_NODE_ECORRUPT with the first (newest) bad file, which diag tells of. */
static int visit(const char *dir, raft_index index, const struct mu_allocator *a,
                 raft_node_snapshot_fn fn, void *user, int *damaged, struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    if (!raft_node__snapshot_path(path, dir, index)) {
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    struct raft_node_diag why = {""};
    struct raft_node_snapshot_info s = {.path = path, .index = index, .sentence = why.text};
    s.status = check(&s, a, &why);
    if (s.status == RAFT_OK) {
        return visit_good(&s, a, fn, user, diag);
    }
    if (s.status != RAFT_NODE_ECORRUPT) {
        return raft_node__fail(diag, s.status, "%s", why.text);
    }
    if (*damaged == 0) {
        *damaged = raft_node__fail(diag, RAFT_NODE_ECORRUPT, "%s", why.text);
    }
    s.bytes = 0;
    return fn(user, &s);
}

int raft_node_snapshot_scan(const char *dir, const struct mu_allocator *allocator,
                            raft_node_snapshot_fn fn, void *user, struct raft_node_diag *diag)
{
    struct mu_allocator a = mu__allocator_or_default(allocator);
    raft_index found[SNAPSHOTS_SEEN];
    int count = raft_node__snapshot_list(dir, found, SNAPSHOTS_SEEN, diag);
    int rc = count < 0 ? count : 0, damaged = 0;
    for (int i = 0; rc == 0 && i < count; i++) {
        rc = visit(dir, found[i], &a, fn, user, &damaged, diag);
    }
    return rc != 0 ? rc : damaged;
}

/* --- Who uses it --- */

/* A line of /proc/locks: "7: FLOCK  ADVISORY  WRITE 1234 fe:01:567 0 EOF". */
bool raft_node_is_in_use(const char *dir)
{
    char path[PATH_BYTES], line[256], file[64];
    struct stat st;
    if (!raft_node__path(path, dir, "lock") || stat(path, &st) != 0) {
        return false;
    }
    FILE *locks = fopen("/proc/locks", "re");
    if (!locks) {
        return false;
    }
    snprintf(file, sizeof file, " %02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
             (unsigned long long)st.st_ino);
    bool found = false;
    while (!found && fgets(line, sizeof line, locks)) {
        found = strstr(line, " FLOCK ") && strstr(line, file);
    }
    fclose(locks);
    return found;
}
