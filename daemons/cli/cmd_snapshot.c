/* cmd_snapshot.c - `muster snapshot save|restore|inspect FILE` */
#include "cli.h"

#include "archive/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] = "Usage: muster snapshot <save|restore|inspect> [options] FILE\n\n"
                            "  Archives of the state of the servers: keys, catalog, sessions.\n\n"
                            "    save      Saves the state to a file\n"
                            "    restore   Makes a saved state that of all servers\n"
                            "    inspect   Checks a file, and says what it holds";

struct source {
    const char *data;
    size_t len, at;
};

static int read_bytes(void *user, void *buf, size_t *len)
{
    struct source *s = user;
    size_t left = s->len - s->at;
    *len = *len < left ? *len : left;
    if (*len) {
        memcpy(buf, s->data + s->at, *len);
    }
    s->at += *len;
    return 0;
}

static int read_fd(void *user, void *buf, size_t *len)
{
    ssize_t n = read(*(const int *)user, buf, *len);
    *len = n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 0;
}

/* Reads all of an archive; false with the reason. */
static bool verify(archive_read_fn read, void *user, struct archive_meta *m,
                   char err[ARCHIVE_ERROR_MAX])
{
    struct archive_reader *r;
    char buf[4096];
    size_t len;
    if (!archive_open(read, user, &r, err)) {
        return false;
    }
    int rc;
    do {
        len = sizeof buf;
        rc = archive_read_state(r, buf, &len);
    } while (rc == 0 && len > 0);
    *m = *archive_meta(r);
    snprintf(err, ARCHIVE_ERROR_MAX, "%s", archive_error(r));
    archive_close(r);
    return rc == 0;
}

/* ---- save ---- */

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Under another name first: what stands at the path is whole, or as it was. */
static bool write_file(const char *path, const struct cli_response *r)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.unverified.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0) {
        fprintf(stderr, "Error writing unverified snapshot file: open %s: %s\n", temporary,
                strerror(errno));
        return false;
    }
    bool ok =
        fchmod(fd, 0600) == 0 && write_all(fd, r->body, r->len) && rename(temporary, path) == 0;
    if (!ok) {
        fprintf(stderr, "Error writing snapshot file: %s\n", strerror(errno));
        unlink(temporary);
    }
    close(fd);
    return ok;
}

static void make_path(const struct cli_common *common, char *path, size_t cap)
{
    snprintf(path, cap, "/v1/snapshot");
    if (common->datacenter) {
        snprintf(path + strlen(path), cap - strlen(path), "?dc=");
        cli_escape(common->datacenter, path, cap);
    }
    if (common->stale) {
        snprintf(path + strlen(path), cap - strlen(path), "%sstale",
                 common->datacenter ? "&" : "?");
    }
}

static int save(const struct cli_common *common, const char *file)
{
    struct cli_client client;
    struct cli_response r;
    struct archive_meta m;
    char path[512], err[ARCHIVE_ERROR_MAX];
    if (!cli_connect(common, &client)) {
        return 1;
    }
    make_path(common, path, sizeof path);
    cli_request(&client, "GET", path, NULL, 0, &r);
    bool ok = cli_response_ok(&r, "Error saving snapshot");
    struct source s = {r.body, r.len, 0};
    if (ok && !verify(read_bytes, &s, &m, err)) {
        fprintf(stderr, "Error verifying snapshot file: %s\n", err);
        ok = false;
    }
    ok = ok && write_file(file, &r);
    if (ok) {
        printf("Saved and verified snapshot to index %llu\n", (unsigned long long)m.index);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}

/* ---- restore ---- */

static char *read_file(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *data = fd >= 0 && fstat(fd, &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    size_t at = 0;
    ssize_t n = 0;
    while (data && at < (size_t)st.st_size &&
           (n = read(fd, data + at, (size_t)st.st_size - at)) > 0) {
        at += (size_t)n;
    }
    if (!data || n < 0) {
        fprintf(stderr, "Error opening snapshot file: open %s: %s\n", path, strerror(errno));
        free(data);
        data = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    *len = at;
    return data;
}

static int restore(const struct cli_common *common, const char *file)
{
    struct cli_client client;
    struct cli_response r;
    char path[512];
    size_t len;
    char *data = cli_connect(common, &client) ? read_file(file, &len) : NULL;
    if (!data) {
        return 1;
    }
    make_path(common, path, sizeof path);
    cli_request(&client, "PUT", path, data, len, &r);
    bool ok = cli_response_ok(&r, "Error restoring snapshot");
    if (ok) {
        printf("Restored snapshot\n");
    }
    cli_response_free(&r);
    free(data);
    return ok ? 0 : 1;
}

/* ---- inspect ---- */

static int inspect(const char *file)
{
    struct archive_meta m;
    char err[ARCHIVE_ERROR_MAX];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "Error opening snapshot file: open %s: %s\n", file, strerror(errno));
        return 1;
    }
    bool ok = verify(read_fd, &fd, &m, err);
    close(fd);
    if (!ok) {
        fprintf(stderr, "Error verifying snapshot: %s\n", err);
        return 1;
    }
    printf("ID           %s\nSize         %llu\nIndex        %llu\nTerm         %llu\n"
           "Version      %llu\n",
           m.id, (unsigned long long)m.size, (unsigned long long)m.index,
           (unsigned long long)m.term, (unsigned long long)m.version);
    return 0;
}

int cmd_snapshot(int argc, char **argv)
{
    struct cli_common common = {0};
    const char *what = argc > 0 ? argv[0] : "";
    bool saves = strcmp(what, "save") == 0, restores = strcmp(what, "restore") == 0;
    if (!saves && !restores && strcmp(what, "inspect") != 0) {
        fprintf(argc > 0 && strstr(what, "-h") ? stdout : stderr, "%s\n", usage);
        return 1;
    }
    int at = cli_parse(argc - 1, argv + 1, usage, NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (argc - 1 - at != 1) {
        fprintf(stderr, "%s\n",
                argc - 1 - at < 1 ? "Missing FILE argument" : "Too many arguments (expected 1)");
        return 1;
    }
    const char *file = argv[1 + at];
    return saves ? save(&common, file) : restores ? restore(&common, file) : inspect(file);
}
