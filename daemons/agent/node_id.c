/* The UUID by which the cluster knows a node, whatever it is called. */
#include "agent/persist.h"

#include "agent/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool is_uuid(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i])) {
            return false;
        }
    }
    return len == 36;
}

static bool random_uuid(char out[37])
{
    uint8_t b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        return false;
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
    return true;
}

static int write_node_id(const char *data_dir, const char *id, char *err, size_t errlen)
{
    struct file_temp temp = {0};
    file_temp_write(&temp, data_dir, id, 36, true);
    if (file_temp_rename(&temp, data_dir, "node-id", err, errlen)) {
        return -1;
    }
    return file_sync_folder(data_dir, err, errlen);
}

/* 0: out is filled; 1: there is none; -1: err says what is wrong with it. */
static int read_node_id(const char *data_dir, char out[37], char *err, size_t errlen)
{
    char path[4096];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/node-id", data_dir);
    char *text = file_read(path, 4096, &len, err, errlen);
    if (!text) {
        return errno == ENOENT ? 1 : -1;
    }
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    bool ok = is_uuid(text, len);
    if (ok) {
        memcpy(out, text, 36);
        out[36] = 0;
    } else {
        snprintf(err, errlen,
                 "%s does not hold a node ID (a UUID); restore it, or remove it to be another node",
                 path);
    }
    free(text);
    return ok ? 0 : -1;
}

int persist_node_id(const char *data_dir, struct mu_str wanted, char out[37], char *err,
                    size_t errlen)
{
    if (wanted.len && !is_uuid(wanted.p, wanted.len)) {
        snprintf(err, errlen, "node_id is not a UUID");
        return -1;
    }
    int found = *data_dir ? read_node_id(data_dir, out, err, errlen) : 1;
    if (found < 0 || (found == 0 && (!wanted.len || !memcmp(out, wanted.p, 36)))) {
        return found;
    }
    if (wanted.len) {
        memcpy(out, wanted.p, 36);
        out[36] = 0;
    } else if (!random_uuid(out)) {
        snprintf(err, errlen, "no entropy for a node ID");
        return -1;
    }
    return *data_dir ? write_node_id(data_dir, out, err, errlen) : 0;
}
