#include "config_internal.h"

#include "hcl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Messages ---- */

/* `2 errors occurred:\n\t* a\n\t* b\n\n`, as go-multierror prints them. */
static void join_errors(const struct mu_strs *list, char *out, size_t cap)
{
    size_t n =
        (size_t)snprintf(out, cap, "%zu error%s occurred:\n", list->len, list->len == 1 ? "" : "s");
    for (size_t i = 0; i < list->len && n < cap; i++) {
        n += (size_t)snprintf(out + n, cap - n, "\t* %s\n", list->items[i].p);
    }
    if (n + 2 < cap) {
        snprintf(out + n, cap - n, "\n");
    }
}

/* `1 error(s) decoding:\n\n* a`, as mapstructure does. */
static void join_mistyped(const struct mu_strs *list, char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "%zu error(s) decoding:\n", list->len);
    for (size_t i = 0; i < list->len && n < cap; i++) {
        n += (size_t)snprintf(out + n, cap - n, "\n* %s", list->items[i].p);
    }
}

static void fail_list(struct config__loader *l, const char *name, const struct mu_strs *list,
                      bool decoding)
{
    char text[CONFIG_ERROR_MAX];
    if (!list->len) {
        return;
    }
    if (decoding) {
        join_mistyped(list, text, sizeof text);
    } else {
        join_errors(list, text, sizeof text);
    }
    if (name) {
        config__fail(l, "failed to parse %s: %s", name, text);
    } else {
        config__fail(l, "%s", text);
    }
}

/* ---- Sources ---- */

static void set_defaults(struct config__loader *l, bool dev)
{
    struct config *c = l->config;
    for (size_t i = 0; i < config__nkeys; i++) {
        const struct config__key *k = &config__keys[i];
        const char *text = dev && k->dev ? k->dev : k->initial;
        if (text) {
            config__set_text(l, k, text);
        }
    }
    c->dev = dev;
}

static json_t *parse_json(struct config__loader *l, const char *name, const char *text, size_t len)
{
    json_error_t e;
    json_t *root = json_loadb(text, len, 0, &e);
    if (!root) {
        config__fail(l, "failed to parse %s: line %d, column %d: %s", name, e.line, e.column,
                     e.text);
    }
    return root;
}

static json_t *parse_yaml(struct config__loader *l, const char *name, const char *text, size_t len)
{
    char err[256];
    json_t *root = config__yaml(text, len, err, sizeof err);
    if (!root) {
        config__fail(l, "failed to parse %s: %s", name, err);
    }
    return root;
}

static json_t *parse_hcl(struct config__loader *l, const char *name, const char *text, size_t len)
{
    char err[256];
    json_t *root = hcl_parse(text, len, err, sizeof err);
    if (!root) {
        config__fail(l, "failed to parse %s: %s", name, err);
    }
    return root;
}

enum format { FORMAT_OTHER, FORMAT_JSON, FORMAT_YAML, FORMAT_HCL };

static void read_text(struct config__loader *l, const char *name, enum format format,
                      const char *text, size_t len)
{
    json_t *root = format == FORMAT_YAML  ? parse_yaml(l, name, text, len)
                   : format == FORMAT_HCL ? parse_hcl(l, name, text, len)
                                          : parse_json(l, name, text, len);
    if (!root) {
        return;
    }
    l->is_hcl = format == FORMAT_HCL;
    l->source = config__text(l->config, name, strlen(name)).p;
    if (json_is_object(root)) {
        config__apply(l, root);
    } else {
        config__fail(l, "failed to parse %s: the top level must be a map", name);
    }
    json_decref(root);
    fail_list(l, name, &l->mistyped, true);
    fail_list(l, name, &l->unknown, false);
    l->source = NULL;
}

static enum format format_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || strchr(dot, '/')) {
        return FORMAT_OTHER;
    }
    if (!strcasecmp(dot, ".json")) {
        return FORMAT_JSON;
    }
    if (!strcasecmp(dot, ".yaml") || !strcasecmp(dot, ".yml")) {
        return FORMAT_YAML;
    }
    return strcasecmp(dot, ".hcl") ? FORMAT_OTHER : FORMAT_HCL;
}

static void open_failed(struct config__loader *l, const char *name)
{
    const char *why = errno == ENOENT ? "no such file or directory" : strerror(errno);
    config__fail(l, "config: Open failed on %s. open %s: %s", name, name, why);
}

/* The whole file, to be freed; NULL when it cannot be read or is larger than CONFIG_FILE_MAX. */
static char *slurp(int fd, size_t *len)
{
    size_t cap = 1 << 16;
    char *text = malloc(cap);
    *len = 0;
    for (;;) {
        ssize_t n = text ? read(fd, text + *len, cap - *len) : -1;
        if (n < 0 || *len > CONFIG_FILE_MAX) {
            free(text);
            return NULL;
        }
        if (n == 0) {
            return text;
        }
        *len += (size_t)n;
        if (*len == cap) {
            char *larger = realloc(text, cap *= 2);
            if (!larger) {
                free(text);
            }
            text = larger;
        }
    }
}

static void read_file(struct config__loader *l, const char *name, enum format format)
{
    size_t len;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        open_failed(l, name);
        return;
    }
    char *text = slurp(fd, &len);
    close(fd);
    if (!text) {
        config__fail(l, "config: Read failed on %s: not a readable file of at most %u bytes", name,
                     CONFIG_FILE_MAX);
        return;
    }
    read_text(l, name, format, text, len);
    free(text);
}

static void read_named(struct config__loader *l, const char *name, enum format forced)
{
    enum format format = forced != FORMAT_OTHER ? forced : format_of(name);
    if (format == FORMAT_OTHER) {
        config__warn(l->config,
                     "skipping file %s, extension must be .hcl, .json or .yaml, or config format "
                     "must be set",
                     name);
    } else {
        read_file(l, name, format);
    }
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(struct config__loader *l, const char *folder, enum format forced)
{
    struct dirent **entries;
    struct stat st;
    int n = scandir(folder, &entries, not_hidden, by_bytes);
    if (n < 0) {
        open_failed(l, folder);
        return;
    }
    for (int i = 0; i < n; i++) {
        size_t len = strlen(folder) + strlen(entries[i]->d_name) + 2;
        char *name = malloc(len);
        if (!name) {
            abort();
        }
        snprintf(name, len, "%s/%s", folder, entries[i]->d_name);
        if (!l->failed && !stat(name, &st) &&
            S_ISREG(st.st_mode)) { /* folders in it are not read */
            read_named(l, name, forced);
        }
        free(name);
        free(entries[i]);
    }
    free(entries);
}

static void read_sources(struct config__loader *l, const struct config__flags *f)
{
    enum format forced = !strcmp(f->format.p, "json")   ? FORMAT_JSON
                         : !strcmp(f->format.p, "yaml") ? FORMAT_YAML
                         : !strcmp(f->format.p, "hcl")  ? FORMAT_HCL
                                                        : FORMAT_OTHER;
    if (f->format.len && forced == FORMAT_OTHER) {
        config__fail(l, "config: -config-format must be either 'hcl', 'json' or 'yaml'");
    }
    for (size_t i = 0; i < f->files.len && !l->failed; i++) {
        struct stat st;
        const char *name = f->files.items[i].p;
        if (stat(name, &st)) {
            open_failed(l, name);
        } else if (S_ISDIR(st.st_mode)) {
            read_folder(l, name, forced);
        } else {
            read_named(l, name, forced);
        }
    }
    for (size_t i = 0; i < f->fragments.len && !l->failed; i++) {
        char name[32];
        snprintf(name, sizeof name, "flag-%zu.hcl", i);
        read_text(l, name, FORMAT_HCL, f->fragments.items[i].p, f->fragments.items[i].len);
    }
    for (size_t i = 0; i < f->nuses && !l->failed; i++) {
        config__set_text(l, f->uses[i].key, f->uses[i].value);
    }
}

/* ---- The whole ---- */

static struct config *create(struct config__loader *l, char *err, size_t errlen)
{
    struct config *c = calloc(1, sizeof *c);
    if (!c) {
        abort();
    }
    mu__arena_init(&c->arena, NULL, 0);
    *l = (struct config__loader){.config = c, .errlen = errlen};
    l->err = err;
    return c;
}

static struct config *finish(struct config__loader *l)
{
    fail_list(l, NULL, &l->invalid, false);
    if (!l->failed) {
        config__finish(l);
        fail_list(l, NULL, &l->invalid, false);
    }
    if (!l->failed) {
        return l->config;
    }
    config_destroy(l->config);
    return NULL;
}

struct config *config_load(int argc, char *const argv[], bool *help, char *err, size_t errlen)
{
    struct config__loader l;
    struct config__flags flags;
    create(&l, err, errlen);
    config__parse_flags(&l, argc, argv, &flags);
    *help = flags.help;
    if (flags.help) {
        config__fail(&l, "help");
    }
    if (!l.failed) {
        set_defaults(&l, flags.dev);
        read_sources(&l, &flags);
    }
    return finish(&l);
}

struct config *config_from_text(const char *name, const char *text, size_t len, char *err,
                                size_t errlen)
{
    struct config__loader l;
    create(&l, err, errlen);
    set_defaults(&l, false);
    read_text(&l, name, format_of(name), text, len);
    return finish(&l);
}

void config_destroy(struct config *c)
{
    if (!c) {
        return;
    }
    mu__wipe(c->encrypt_key, sizeof c->encrypt_key);
    mu__arena_fini(&c->arena);
    free(c);
}
