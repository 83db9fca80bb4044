/* cmd_raft.c - `muster raft`: reads a server's log and snapshots from its folder, and changes
 * nothing there. */
#include "cli.h"

#include <muster/catalog.h>
#include <muster/catalog_types.h>
#include <muster/raft_node.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "alloc.h"
#include "schema.h"

#define EXIT_DAMAGED  1
#define EXIT_USAGE    2           /* also: the folder cannot be read */
#define REQUEST_BYTES (64u << 20) /* what a decoded entry may take */

static const char usage[] =
    "Usage: muster raft <verify|dump> [options] DIR\n\n"
    "  Reads the Raft log and the snapshots of a server. DIR is its data directory, or the raft "
    "folder in it. Nothing\n"
    "  is changed or locked, so the server may be running.\n\n"
    "    verify    Checks every byte, and says where it is damaged\n"
    "    dump      Prints every record, one a line\n\n"
    "  Exit code: 0 all is well, 1 something is damaged, 2 the command or the folder is not right.";

/* --- One record as text --- */

struct dump {
    bool hex;
    struct mu__writer line;
};

static void put_hex(struct mu__writer *w, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        mu__write_u8(w, (uint8_t)digits[p[i] >> 4]);
        mu__write_u8(w, (uint8_t)digits[p[i] & 15]);
    }
}

/* The entries that this release knows: enum catalog_entry_type. */
static const struct {
    uint8_t type;
    enum catalog_type schema;
    const char *name;
} requests[] = {
    {CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, "register"},
    {CATALOG_ENTRY_DEREGISTER, CATALOG_DEREGISTER_REQUEST, "deregister"},
    {CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, "kvs"},
    {CATALOG_ENTRY_TOMBSTONE, CATALOG_TOMBSTONE_REQUEST, "tombstone"},
    {CATALOG_ENTRY_AUTOPILOT, CATALOG_AUTOPILOT_SET_REQUEST, "autopilot"},
    {CATALOG_ENTRY_INTENTION, CATALOG_INTENTION_REQUEST, "intention"},
};
#define REQUEST_COUNT (sizeof requests / sizeof *requests)

static size_t find_request(const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (i < REQUEST_COUNT && (len == 0 || requests[i].type != data[0])) {
        i++;
    }
    return i;
}

/* False if the body is not one of the schema's, or too large to be shown so. */
static bool put_request(struct mu__writer *w, const struct mu__schema *schema, const uint8_t *body,
                        size_t len)
{
    struct mu__arena arena;
    struct mu__reader r = mu__reader(body, len);
    mu__arena_init(&arena, &mu__malloc_allocator, REQUEST_BYTES);
    void *request = mu__arena_calloc(&arena, 1, schema->size);
    bool ok =
        request && mu__schema_decode(schema, &r, &arena, true, request) && mu__reader_left(&r) == 0;
    if (ok) {
        struct mu__json j = mu__json(w, false);
        mu__json_value(&j, schema, request);
    }
    mu__arena_fini(&arena);
    return ok;
}

static const char *put_normal(struct dump *d, const uint8_t *data, size_t len)
{
    size_t i = find_request(data, len);
    bool is_known = i < REQUEST_COUNT;
    if (!is_known || d->hex ||
        !put_request(&d->line, catalog_schema(requests[i].schema), data + 1, len - 1)) {
        put_hex(&d->line, data, len);
    }
    return is_known ? requests[i].name : "unknown";
}

static void put_configuration(struct dump *d, const void *data, size_t len, raft_index index)
{
    struct raft_configuration c;
    if (d->hex || raft_configuration_decode(data, len, index, &c) != RAFT_OK) {
        put_hex(&d->line, data, len);
        return;
    }
    struct mu__json j = mu__json(&d->line, false);
    mu__json_list(&j);
    for (size_t i = 0; i < c.n; i++) {
        mu__json_item(&j);
        mu__json_object(&j);
        mu__json_ckey(&j, "ID");
        mu__json_cstr(&j, c.servers[i].id);
        mu__json_ckey(&j, "Address");
        mu__json_cstr(&j, c.servers[i].address);
        mu__json_ckey(&j, "Voter");
        mu__json_bool(&j, c.servers[i].kind == RAFT_VOTER);
        mu__json_object_end(&j);
    }
    mu__json_list_end(&j);
}

/* Leaves the body in d->line and returns what kind of entry it is. */
static const char *put_entry(struct dump *d, const struct raft_node_record *r)
{
    switch (r->type) {
    case RAFT_ENTRY_NORMAL:
        return put_normal(d, r->data, r->len);
    case RAFT_ENTRY_CONFIG:
        put_configuration(d, r->data, r->len, r->index);
        return "configuration";
    case RAFT_ENTRY_NOOP:
        return "noop";
    }
    put_hex(&d->line, r->data, r->len);
    return "unknown";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void begin_line(struct dump *d)
{
    mu__writer_fini(&d->line);
    d->line = mu__writer_growing(&mu__malloc_allocator);
}

static void end_line(const struct dump *d)
{
    if (d->line.len > 0) {
        putchar(' ');
        fwrite(d->line.data, 1, d->line.len, stdout);
    }
    putchar('\n');
}

static int dump_record(void *user, const struct raft_node_record *r)
{
    struct dump *d = user;
    unsigned long long index = r->index, term = r->term;
    begin_line(d);
    printf("%s:%llu ", base_name(r->path), (unsigned long long)r->offset);
    switch (r->kind) {
    case RAFT_NODE_RECORD_ENTRY: {
        const char *type = put_entry(d, r);
        printf("entry index=%llu term=%llu type=%s length=%zu", index, term, type, r->len);
        break;
    }
    case RAFT_NODE_RECORD_HARD_STATE: /* an id is printable: the core sees to it */
        printf("vote term=%llu for=%.*s", term, (int)r->len, (const char *)r->data);
        break;
    case RAFT_NODE_RECORD_CUT:
        printf("cut after=%llu term=%llu", index, term);
        break;
    case RAFT_NODE_RECORD_RESET:
        printf("reset after=%llu term=%llu", index, term);
        break;
    }
    end_line(d);
    return d->line.failed ? RAFT_ENOMEM : 0;
}

/* --- Whole folders --- */

struct inspection {
    const char *command; /* "verify" or "dump" */
    const char *dir;
    struct dump dump;
    raft_index newest; /* snapshot that is whole; 0: none */
    size_t snapshots;
    bool is_damaged;
};

static int see_snapshot(void *user, const struct raft_node_snapshot_info *s)
{
    struct inspection *in = user;
    in->snapshots++;
    if (s->status != RAFT_OK) {
        in->is_damaged = true;
        fprintf(stderr, "%s\n", s->sentence);
        return 0;
    }
    in->newest = in->newest ? in->newest : s->index;
    begin_line(&in->dump);
    put_configuration(&in->dump, s->configuration, s->configuration_len, s->configuration_index);
    printf("%s snapshot index=%llu term=%llu bytes=%llu configuration-index=%llu",
           base_name(s->path), (unsigned long long)s->index, (unsigned long long)s->term,
           (unsigned long long)s->bytes, (unsigned long long)s->configuration_index);
    end_line(&in->dump);
    return 0;
}

static void report_log(struct inspection *in, const struct raft_node_log_info *info, bool is_used)
{
    unsigned long long first = info->first_index, last = info->last_index;
    printf("log files=%zu first=%llu last=%llu term=%llu vote=%s end=%s:%llu\n", info->files, first,
           last, (unsigned long long)info->hard.term, info->hard.vote,
           info->last_file[0] ? info->last_file : "-", (unsigned long long)info->end_offset);
    if (info->torn_bytes > 0) {
        printf("%s:%llu torn: %llu bytes of an unfinished write, which %s\n", info->last_file,
               (unsigned long long)info->end_offset, (unsigned long long)info->torn_bytes,
               is_used ? "the server may be about to finish" : "the next start drops");
    }
    if (first > in->newest + 1) {
        in->is_damaged = true;
        fprintf(stderr,
                "%s: the log begins with entry %llu, but the newest snapshot that can be read ends "
                "with %llu: put the missing snapshot back, or empty the folder and let the server "
                "join anew, under a new id\n",
                in->dir, first, (unsigned long long)in->newest);
    }
}

static int fail(struct inspection *in, int rc, const char *sentence, bool is_used)
{
    if (rc == RAFT_NODE_ECORRUPT) {
        in->is_damaged = true;
        fprintf(stderr, "%s\n", sentence);
        return 0;
    }
    fprintf(stderr, "%s%s\n", sentence[0] ? sentence : raft_node_strerror(rc),
            is_used
                ? " (the server that uses the folder may have deleted a file meanwhile: try again)"
                : "");
    return EXIT_USAGE;
}

static int inspect(struct inspection *in)
{
    struct raft_node_diag diag = {""};
    struct raft_node_log_info info;
    bool is_used = raft_node_is_in_use(in->dir), dumps = strcmp(in->command, "dump") == 0;
    if (is_used) {
        fprintf(stderr, "A server uses %s: what it is writing now may be missing here.\n", in->dir);
    }
    int rc = raft_node_snapshot_scan(in->dir, NULL, see_snapshot, in, &diag);
    if (rc != 0 && rc != RAFT_NODE_ECORRUPT) {
        return fail(in, rc, diag.text, is_used);
    }
    diag.text[0] = '\0';
    rc = raft_node_log_scan(in->dir, NULL, dumps ? dump_record : NULL, &in->dump, &info, &diag);
    if (rc == 0) {
        report_log(in, &info, is_used);
    } else if ((rc = fail(in, rc, diag.text, is_used)) != 0) {
        return rc;
    }
    if (!in->is_damaged && info.files == 0 && in->snapshots == 0) {
        fprintf(stderr, "%s holds neither a log nor a snapshot\n", in->dir);
        return EXIT_USAGE;
    }
    printf("%s\n", in->is_damaged ? "DAMAGED" : "ok");
    return in->is_damaged ? EXIT_DAMAGED : 0;
}

int cmd_raft(int argc, char **argv)
{
    struct inspection in = {.command = argc > 0 ? argv[0] : ""};
    const struct cli_flag flags[] = {
        {"hex", &in.dump.hex, NULL, "dump: the bodies of entries as bytes, not as JSON."},
        {0},
    };
    bool is_known = strcmp(in.command, "verify") == 0 || strcmp(in.command, "dump") == 0;
    int skip = is_known ? 1 : 0;
    int at = cli_parse(argc - skip, argv + skip, usage, flags, NULL);
    if (at < 0) {
        return at == -2 ? 0 : EXIT_USAGE;
    }
    if (!is_known || at + 1 != argc - skip) {
        fprintf(stderr, "%s\n", usage);
        return EXIT_USAGE;
    }
    char inner[4096];
    struct stat st;
    in.dir = argv[skip + at];
    int n = snprintf(inner, sizeof inner, "%s/raft", in.dir);
    if (n > 0 && (size_t)n < sizeof inner && stat(inner, &st) == 0 && S_ISDIR(st.st_mode)) {
        in.dir = inner;
    }
    int code = inspect(&in);
    mu__writer_fini(&in.dump.line);
    return code;
}
