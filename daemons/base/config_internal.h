/* config_internal.h - between the files that make up config.h. */
#pragma once

#include "config.h"

#include <jansson.h>

enum config__kind {
    CONFIG_BOOL,        /* bool */
    CONFIG_TRISTATE,    /* int: -1 until set, then 0 or 1 */
    CONFIG_INT,         /* int64_t, in min..max */
    CONFIG_PORT,        /* int64_t: -1 or 1..65535 */
    CONFIG_FLOAT,       /* double */
    CONFIG_DURATION,    /* uint64_t ns, in min..max */
    CONFIG_STR,         /* struct mu_str */
    CONFIG_STRS,        /* struct mu_strs; appended */
    CONFIG_STRMAP,      /* struct mu_strmap; merged */
    CONFIG_DEFINITION,  /* one service or check */
    CONFIG_DEFINITIONS, /* a list of them */
    CONFIG_OBJECTS,     /* a list of maps that others read: struct config_definitions */
    CONFIG_IGNORED,     /* known to Consul; has no effect here, and a warning says so */
    CONFIG_QUIET,       /* likewise, and nobody needs to know */
    CONFIG_REFUSED      /* known to Consul; to ignore it would be unsafe, unless it says "off" */
};

#define CONFIG_NO_OFFSET SIZE_MAX
struct config__key {
    const char *path; /* lower case, with dots */
    enum config__kind kind;
    size_t offset;             /* in struct config */
    const char *initial, *dev; /* as text; NULL: zero. dev: what -dev makes of it, NULL: the same */
    int64_t min, max;          /* for INT and DURATION (ns) when min < max */
};
extern const struct config__key config__keys[];
extern const size_t config__nkeys;
const struct config__key *config__find(const char *path);
bool config__is_section(const char *path); /* does some key begin with `path.`? */

/* What went wrong and what is odd, while sources are read. */
struct config__loader {
    struct config *config;
    const char *source;      /* the file, or NULL for a flag */
    struct mu_strs unknown;  /* `invalid config key x` */
    struct mu_strs mistyped; /* `'x' expected type ...` */
    struct mu_strs invalid;  /* `x: invalid duration: ...` */
    bool is_hcl;             /* the source tells whole numbers from others */
    bool failed;             /* err holds a text */
    char *err;
    size_t errlen;
};
void config__fail(struct config__loader *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void config__warn(struct config *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void config__note(struct config *c, struct mu_strs *list, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A copy in the arena with a zero behind it; never fails (a config that does not fit into memory
 * ends the program). */
struct mu_str config__text(struct config *c, const char *s, size_t len);
/* The items of a list in the arena, with room for one more. */
void *config__grow(struct config *c, void *items, size_t len, size_t size);
void config__append(struct config *c, struct mu_strs *list, struct mu_str s);
void config__map_set(struct config *c, struct mu_strmap *map, struct mu_str key,
                     struct mu_str value);

/* Applies a tree read from a file to the config; what is wrong goes to the loader's lists. */
void config__apply(struct config__loader *l, json_t *root);
/* Sets one key from text, as a default or a flag gives it. */
void config__set_text(struct config__loader *l, const struct config__key *key, const char *text);

/* YAML to the tree that JSON makes; NULL with a sentence in err. One document, no anchors, 64
 * levels. */
json_t *config__yaml(const char *text, size_t len, char *err, size_t errlen);

/* Flags: reads argv up to its end, sets keys and collects files. */
struct config__flags {
    struct mu_strs files, fragments;
    struct mu_str format; /* -config-format */
    bool dev, help;
    struct config__flag_use {
        const struct config__key *key;
        const char *value;
    } * uses;
    size_t nuses;
};
void config__parse_flags(struct config__loader *l, int argc, char *const argv[],
                         struct config__flags *out);

bool config__network(const char *text, struct config_network *out); /* false: it is none */
/* Evaluates the templates in a text (config_template.c). */
void config__expand_templates(struct config__loader *l, const char *key, struct mu_str *value);
/* Reads networks; how many are none, which is noted. */
size_t config__networks(struct config__loader *l, const struct mu_strs *texts, const char *key,
                        struct config_networks *out);

/* Relations between keys, derived values, addresses. */
void config__finish(struct config__loader *l);
void config__finish_addresses(struct config__loader *l);
void config__finish_recursors(struct config__loader *l);
