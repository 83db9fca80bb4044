/* cmd_kv.c - `muster kv get|put|delete` */
#include "cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 8192

struct kv_flags {
    struct cli_common common;
    bool recurse, keys, detailed, base64, cas;
    const char *separator, *modify_index, *flags;
};

static void add_query(char *path, const char *key, const char *value)
{
    size_t len = strlen(path);
    snprintf(path + len, PATH_MAX_BYTES - len, "%s%s%s", strchr(path, '?') ? "&" : "?", key,
             value ? "=" : "");
    if (value) {
        cli_escape(value, path, PATH_MAX_BYTES);
    }
}

/* /v1/kv/<key>?...; a leading slash is dropped, as it cannot be part of a key. */
static void make_path(char *path, const char *key, const struct kv_flags *f)
{
    memcpy(path, "/v1/kv/", sizeof "/v1/kv/");
    cli_escape(key[0] == '/' ? key + 1 : key, path, PATH_MAX_BYTES);
    if (f->common.datacenter) {
        add_query(path, "dc", f->common.datacenter);
    }
    if (f->common.stale) {
        add_query(path, "stale", NULL);
    }
}

/* Standard base64; the text is overwritten. Returns the length, or SIZE_MAX if it is no base64. */
static size_t decode_base64(char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t out = 0;
    uint32_t bits = 0;
    int have = 0;
    const char *p = s;
    for (const char *d; *p && *p != '=' && (d = strchr(digits, *p)) != NULL; p++) {
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            s[out++] = (char)(bits >> have);
        }
    }
    size_t digits_read = (size_t)(p - s), padding = strspn(p, "=");
    bool whole = p[padding] == '\0' && padding < 3 && (digits_read + padding) % 4 == 0;
    s[out] = '\0';
    return whole ? out : SIZE_MAX;
}

static const char *text_of(json_t *string)
{
    const char *s = json_string_value(string);
    return s ? s : "";
}

static void print_value(json_t *entry, const struct kv_flags *f)
{
    const char *encoded = json_string_value(json_object_get(entry, "Value"));
    char *value = strdup(encoded ? encoded : "");
    if (!value) {
        abort();
    }
    size_t len = f->base64 ? strlen(value) : decode_base64(value);
    fwrite(value, 1, len == SIZE_MAX ? 0 : len, stdout);
    free(value);
}

static void print_detailed(json_t *e, const struct kv_flags *f)
{
    const char *session = json_string_value(json_object_get(e, "Session"));
    printf("CreateIndex      %lld\n",
           (long long)json_integer_value(json_object_get(e, "CreateIndex")));
    printf("Flags            %llu\n",
           (unsigned long long)json_integer_value(json_object_get(e, "Flags")));
    printf("Key              %s\n", text_of(json_object_get(e, "Key")));
    printf("LockIndex        %lld\n",
           (long long)json_integer_value(json_object_get(e, "LockIndex")));
    printf("ModifyIndex      %lld\n",
           (long long)json_integer_value(json_object_get(e, "ModifyIndex")));
    printf("Session          %s\n", session && *session ? session : "-");
    printf("Value            ");
    print_value(e, f);
    printf("\n");
}

static void print_entries(json_t *list, const struct kv_flags *f)
{
    size_t i;
    json_t *e;
    json_array_foreach(list, i, e)
    {
        if (f->keys) {
            printf("%s\n", text_of(e));
        } else if (f->detailed) {
            printf("%s", i ? "\n" : "");
            print_detailed(e, f);
        } else if (f->recurse) {
            printf("%s:", text_of(json_object_get(e, "Key")));
            print_value(e, f);
            printf("\n");
        } else {
            print_value(e, f);
            printf("\n");
        }
    }
}

static int get(const char *key, const struct kv_flags *f)
{
    struct cli_client client;
    struct cli_response r;
    char path[PATH_MAX_BYTES];
    int rc = 1;
    make_path(path, key, f);
    if (f->keys) {
        add_query(path, "keys", NULL);
        add_query(path, "separator", f->separator);
    } else if (f->recurse) {
        add_query(path, "recurse", NULL);
    }
    if (!cli_connect(&f->common, &client)) {
        return 1;
    }
    cli_request(&client, "GET", path, NULL, 0, &r);
    if (r.status == 404) {
        if (f->keys || f->recurse) {
            rc = 0; /* nothing is below */
        } else {
            fprintf(stderr, "Error! No key exists at: %s\n", key);
        }
    } else if (cli_response_ok(&r, "Error querying Consul agent")) {
        json_t *list = json_loadb(r.body, r.len, 0, NULL);
        if (list) {
            print_entries(list, f);
            rc = 0;
        } else {
            fprintf(stderr, "Error querying Consul agent: the answer cannot be read\n");
        }
        json_decref(list);
    }
    cli_response_free(&r);
    return rc;
}

/* The whole stream; free. */
static char *read_all(FILE *in, size_t *len)
{
    size_t cap = 65536;
    char *data = malloc(cap);
    *len = 0;
    for (size_t n; data && (n = fread(data + *len, 1, cap - *len, in)) > 0;) {
        *len += n;
        if (*len == cap) {
            data = realloc(data, cap *= 2);
        }
    }
    if (!data) {
        abort();
    }
    return data;
}

/* "-": standard input, "@file": a file, else the text itself. NULL after a message. */
static char *read_value(const char *arg, const struct kv_flags *f, size_t *len)
{
    char *data;
    if (strcmp(arg, "-") == 0) {
        data = read_all(stdin, len);
    } else if (arg[0] == '@') {
        FILE *in = fopen(arg + 1, "rb");
        if (!in) {
            fprintf(stderr, "Error! Failed to read file: open %s: %s\n", arg + 1,
                    errno == ENOENT ? "no such file or directory" : strerror(errno));
            return NULL;
        }
        data = read_all(in, len);
        fclose(in);
    } else {
        *len = strlen(arg);
        data = strdup(arg);
    }
    if (data && f->base64) {
        char *text = realloc(data, *len + 1);
        if (!text) {
            abort();
        }
        text[*len] = '\0';
        *len = decode_base64(text);
        data = text;
        if (*len == SIZE_MAX) {
            fprintf(stderr, "Error! Cannot base 64 decode data\n");
            free(data);
            return NULL;
        }
    }
    return data;
}

static int put(const char *key, const char *value, const struct kv_flags *f)
{
    struct cli_client client;
    struct cli_response r;
    char path[PATH_MAX_BYTES];
    size_t len;
    if (f->cas && !f->modify_index) {
        fprintf(stderr, "Must specify -modify-index with -cas!\n");
        return 1;
    }
    make_path(path, key, f);
    if (f->cas) {
        add_query(path, "cas", f->modify_index);
    }
    if (f->flags) {
        add_query(path, "flags", f->flags);
    }
    char *data = read_value(value, f, &len);
    if (!data || !cli_connect(&f->common, &client)) {
        free(data);
        return 1;
    }
    cli_request(&client, "PUT", path, data, len, &r);
    free(data);
    bool ok = cli_response_ok(&r, "Error! Failed writing data"),
         written = ok && strncmp(r.body, "true", 4) == 0;
    if (written) {
        printf("Success! Data written to: %s\n", key);
    } else if (ok) {
        fprintf(stderr, "Error! Did not write to %s: CAS failed\n", key);
    }
    cli_response_free(&r);
    return written ? 0 : 1;
}

static int delete_key(const char *key, const struct kv_flags *f)
{
    struct cli_client client;
    struct cli_response r;
    char path[PATH_MAX_BYTES];
    make_path(path, key, f);
    if (f->cas && !f->modify_index) {
        fprintf(stderr, "Must specify -modify-index with -cas!\n");
        return 1;
    }
    if (f->recurse) {
        add_query(path, "recurse", NULL);
    } else if (f->cas) {
        add_query(path, "cas", f->modify_index);
    }
    if (!cli_connect(&f->common, &client)) {
        return 1;
    }
    cli_request(&client, "DELETE", path, NULL, 0, &r);
    bool ok = cli_response_ok(&r, "Error! Failed deleting key"),
         done = ok && strncmp(r.body, "true", 4) == 0;
    if (done) {
        printf(f->recurse ? "Success! Deleted keys with prefix: %s\n"
                          : "Success! Deleted key: %s\n",
               key);
    } else if (ok) {
        fprintf(stderr, "Error! Did not delete key %s: CAS failed\n", key);
    }
    cli_response_free(&r);
    return done ? 0 : 1;
}

int cmd_kv(int argc, char **argv)
{
    static const char usage[] = "Usage: muster kv <get|put|delete> [options] KEY [VALUE]\n\n"
                                "  VALUE may be - for standard input or @FILE for a file.";
    struct kv_flags f = {.separator = "/"};
    const struct cli_flag flags[] = {
        {"recurse", &f.recurse, NULL, "get, delete: all keys that start with KEY."},
        {"keys", &f.keys, NULL, "get: names only."},
        {"separator", NULL, &f.separator, "get -keys: cut names behind it; default /."},
        {"detailed", &f.detailed, NULL, "get: with indexes, flags and session."},
        {"base64", &f.base64, NULL, "get: print values in base64; put: VALUE is base64."},
        {"cas", &f.cas, NULL, "put, delete: only if the key is at -modify-index."},
        {"modify-index", NULL, &f.modify_index, "See -cas; 0: the key must not exist."},
        {"flags", NULL, &f.flags, "put: an unsigned number kept with the value."},
        {0},
    };
    const char *what = argc > 0 ? argv[0] : "";
    int at = argc > 0 ? cli_parse(argc - 1, argv + 1, usage, flags, &f.common) : -1;
    if (at < 0) {
        return at == -2 ? 0 : (argc > 0 ? 1 : (fprintf(stderr, "%s\n", usage), 1));
    }
    int left = argc - 1 - at;
    char **args = argv + 1 + at;
    bool is_get = strcmp(what, "get") == 0, is_put = strcmp(what, "put") == 0,
         is_delete = strcmp(what, "delete") == 0;
    int most = is_put ? 2 : 1;
    if (!is_get && !is_put && !is_delete) {
        fprintf(stderr, "%s\n", usage);
        return 1;
    }
    if (left == 0 && !(is_get && (f.keys || f.recurse))) {
        fprintf(stderr, "Error! Missing KEY argument\n");
        return 1;
    }
    if (left > most) {
        fprintf(stderr,
                is_put ? "Error! Too many arguments (expected 1 or 2, got %d)\n"
                       : "Error! Too many arguments (expected 1, got %d)\n",
                left);
        return 1;
    }
    const char *key = left ? args[0] : "";
    return is_get   ? get(key, &f)
           : is_put ? put(key, left > 1 ? args[1] : "", &f)
                    : delete_key(key, &f);
}
