/* raft_id.c - the ID under which this data directory has taken part in Raft.
 *
 * How a server voted stands in its log and nowhere else. If that is lost and the server goes on
 * under its old ID, it may vote twice in a term, and two leaders are elected in it (Raft 5.2). The
 * ID is kept in another file, so that the loss of the raft folder alone would go unnoticed:
 * <data_dir>/raft-id remembers it. It is written when the first file of the log is durable and
 * before the first message is heard, so that an ID stands there without a log only if the log has
 * been lost. Snapshots do not help, there are no votes in them. */
#include "server.h"

#include "agent/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME       "raft-id"
#define LEN_MAX    256u
#define LOG_PREFIX "log-"
#define LOG_SUFFIX ".seg"

enum found { FOUND_ERROR = -1, FOUND_NO, FOUND_YES };

/* Is this the ID that stands in the file? */
static enum found is_known(const struct server_config *c, char *err, size_t errlen)
{
    char path[4096];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/" NAME, c->data_dir);
    char *text = file_read(path, LEN_MAX, &len, err, errlen);
    if (!text) {
        return errno == ENOENT ? FOUND_NO : FOUND_ERROR;
    }
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    bool equal = mu__str_eq((struct mu_str){text, len}, c->node_id);
    free(text);
    return equal ? FOUND_YES : FOUND_NO;
}

static bool is_log_file(const char *name)
{
    const size_t prefix = sizeof LOG_PREFIX - 1, suffix = sizeof LOG_SUFFIX - 1;
    size_t len = strlen(name);
    return len > prefix + suffix && memcmp(name, LOG_PREFIX, prefix) == 0 &&
           memcmp(name + len - suffix, LOG_SUFFIX, suffix) == 0;
}

static enum found find_log(const struct server_config *c, char *err, size_t errlen)
{
    char path[4096];
    bool found = false;
    snprintf(path, sizeof path, "%s/raft", c->data_dir);
    DIR *d = opendir(path);
    int error = d || errno == ENOENT ? 0 : errno;
    while (d && !found && error == 0) {
        errno = 0; /* readdir tells an error from the end by it alone */
        const struct dirent *e = readdir(d);
        found = e && is_log_file(e->d_name);
        error = errno;
        if (!e) {
            break;
        }
    }
    if (d) {
        closedir(d);
    }
    if (error) {
        snprintf(err, errlen, "cannot read the folder %s: %s", path, strerror(error));
        return FOUND_ERROR;
    }
    return found ? FOUND_YES : FOUND_NO;
}

void server__advise_new_id(const struct server_config *c, char *out, size_t outlen)
{
    static const char and_then[] =
        "the leader then lets it take the place of the former server at its address";
    const char *dir = c->data_dir;
    if (c->config->node_id.len) {
        snprintf(out, outlen,
                 "To join anew, under a new ID: remove %s/raft, and configure another node_id than "
                 "%s; %s",
                 dir, c->node_id.p, and_then);
    } else {
        snprintf(out, outlen,
                 "To join anew, under a new ID: remove %s/raft and %s/node-id, or empty %s "
                 "altogether; %s",
                 dir, dir, dir, and_then);
    }
}

bool server__raft_id_check(const struct server_config *c, char *err, size_t errlen)
{
    char advice[2048];
    enum found known = is_known(c, err, errlen);
    enum found log = known == FOUND_YES ? find_log(c, err, errlen) : FOUND_YES;
    if (known == FOUND_ERROR || log == FOUND_ERROR) {
        return false;
    }
    if (log == FOUND_NO) {
        server__advise_new_id(c, advice, sizeof advice);
        snprintf(err, errlen,
                 "this server has taken part in Raft as %s, but its log is not in %s/raft any "
                 "more, and with it is lost how it voted: under that ID it could vote twice. Put "
                 "the folder back as it was when the server stopped last. %s",
                 c->node_id.p, c->data_dir, advice);
    }
    return log == FOUND_YES;
}

bool server__raft_id_keep(const struct server_config *c, char *err, size_t errlen)
{
    enum found known = is_known(c, err, errlen);
    if (known != FOUND_NO) {
        return known == FOUND_YES;
    }
    struct file_temp temp = {0};
    file_temp_write(&temp, c->data_dir, c->node_id.p, c->node_id.len, true);
    return file_temp_rename(&temp, c->data_dir, NAME, err, errlen) == 0 &&
           file_sync_folder(c->data_dir, err, errlen) == 0;
}
