/* schema.h - one static table per record type drives everything that is done with it.
 *
 * A table of fields {name, kind, flags, offset} gives msgpack (RPC, log entries, snapshots), JSON
 * (HTTP), deep copy, comparison and the names that filters may select. A new field is one line. The
 * C struct holds plain members of the types of muster/mu.h; what they point at belongs to whoever
 * made the object: an arena (decoded from outside), one block (mu__schema_clone), or a store
 * version that lends it. */
#pragma once

#include "arena.h"
#include "cursor.h"

enum mu__kind {
    MU_BOOL,      /* bool */
    MU_INT,       /* int64_t */
    MU_UINT,      /* uint64_t */
    MU_FLOAT,     /* double */
    MU_DURATION,  /* int64_t ns: integer; JSON: Go string if MU_F_DURATION_STRING; reads either */
    MU_TIME,      /* struct mu_time. msgpack: 15-byte raw of Go's time; JSON: RFC 3339 */
    MU_STR,       /* struct mu_str */
    MU_BYTES,     /* struct mu_str. JSON: base64, null when empty */
    MU_STRS,      /* struct mu_strs */
    MU_FLOATS,    /* struct mu_floats */
    MU_UINTS,     /* struct mu_uints */
    MU_STRMAP,    /* struct mu_strmap */
    MU_STRSMAP,   /* struct mu_strsmap: name -> list of text */
    MU_STRUCT,    /* the struct itself, by `sub` */
    MU_PTR,       /* pointer to struct by `sub`; NULL is nil/null */
    MU_LIST,      /* struct mu_list of pointers to structs by `sub`; never NULL after a decode */
    MU_STRUCTMAP, /* struct mu_structmap: name -> struct by `sub`; never NULL after a decode */
    MU_ANY        /* struct mu_str: one msgpack value, kept encoded (raw decodes as JSON text) */
};

enum mu__field_flags {
    MU_F_OMIT_EMPTY = 1 << 0,      /* JSON: left out when zero or empty */
    MU_F_NO_JSON = 1 << 1,         /* JSON: never printed; on input an unknown field */
    MU_F_NO_MSGPACK = 1 << 2,      /* not on the wire */
    MU_F_EMPTY_NOT_NULL = 1 << 3,  /* JSON: a nil list or map prints as [] or {} */
    MU_F_DURATION_STRING = 1 << 4, /* JSON: "10s" */
    MU_F_OMIT_MSGPACK = 1 << 5,    /* msgpack: left out when zero or empty */
    MU_F_SMALL_SECONDS = 1 << 6    /* JSON input: a duration below 1000 ns means seconds */
};

struct mu__schema;
struct mu__field {
    const char *name;  /* on the wire, and in JSON unless json says otherwise */
    const char *json;  /* NULL: same as name */
    const char *alias; /* further keys that JSON input accepts, separated by '|', or NULL */
    enum mu__kind kind;
    unsigned flags;
    size_t offset;
    const struct mu__schema *sub; /* for STRUCT, PTR, LIST, STRUCTMAP */
};

/* Fields stand in JSON order. `wire` lists their numbers in byte order of name, which is the order
 * on the wire; tests/catalog/test_types.c checks every table and prints the right one. */
struct mu__schema {
    const char *name; /* Go's type name, for error texts */
    const struct mu__field *fields;
    size_t nfields;
    const uint8_t *wire;
    size_t nwire; /* fields that are on the wire */
    size_t size;  /* of the C struct */
};

/* Decodes one msgpack map (or nil, or an array in declaration order) into *out, which is cleared
 * first. Text is copied into the arena, or lent from the reader's bytes when `lend` is set (they
 * must then outlive *out). Unknown keys are skipped, maps are sorted, of equal keys the last wins,
 * nil elements of lists become cleared records. False when malformed, nested deeper than
 * MU_MSGPACK_DEPTH_MAX or out of memory; r->failed is then set. */
bool mu__schema_decode(const struct mu__schema *s, struct mu__reader *r, struct mu__arena *a,
                       bool lend, void *out);
void mu__schema_encode(const struct mu__schema *s, const void *obj, struct mu__writer *w);

/* A copy in one block, to be freed with one mu__free. NULL when out of memory. */
void *mu__schema_clone(const struct mu__schema *s, const void *obj,
                       const struct mu_allocator *allocator);
size_t mu__schema_clone_size(const struct mu__schema *s, const void *obj);
/* Nil equals empty. */
bool mu__schema_equal(const struct mu__schema *s, const void *a, const void *b);
/* NULL: none. */
const struct mu__field *mu__schema_field(const struct mu__schema *s, struct mu_str name);
/* The field that a key of JSON input means: its JSON name or an alias, in any case. NULL: none. */
const struct mu__field *mu__schema_json_field(const struct mu__schema *s, struct mu_str key);
/* As Go's omitempty sees it. */
bool mu__field_is_empty(const struct mu__field *f, const void *member);
/* Brings the items of a map (each beginning with its struct mu_str key) into byte order; of equal
 * keys the last wins. Scratch memory comes from the arena; false when it has none. */
bool mu__sort_by_key(struct mu__arena *a, void *items, size_t *len, size_t item_size);

/* JSON output, streamed. Strings escape as Go's encoding/json does (<, >, & as \u00XX; U+2028/9;
 * bad UTF-8 as \ufffd). Pretty: four blanks of indent; the caller adds the final newline. */
struct mu__json {
    struct mu__writer *w;
    bool pretty;
    unsigned depth;
    bool fresh; /* nothing stands yet in the innermost object or list */
};
static inline struct mu__json mu__json(struct mu__writer *w, bool pretty)
{
    return (struct mu__json){.w = w, .pretty = pretty, .fresh = true};
}
void mu__json_object(struct mu__json *j);
void mu__json_object_end(struct mu__json *j);
void mu__json_list(struct mu__json *j);
void mu__json_list_end(struct mu__json *j);
/* Inside an object: a comma if needed, key, colon. */
void mu__json_key(struct mu__json *j, struct mu_str key);
void mu__json_ckey(struct mu__json *j, const char *key); /* a key that needs no escapes */
void mu__json_item(struct mu__json *j);                  /* inside a list: before each element */
void mu__json_str(struct mu__json *j, struct mu_str s);
void mu__json_cstr(struct mu__json *j, const char *s);
void mu__json_int(struct mu__json *j, int64_t v);
void mu__json_uint(struct mu__json *j, uint64_t v);
void mu__json_float(struct mu__json *j, double v); /* as Go prints float64 */
void mu__json_bool(struct mu__json *j, bool v);
void mu__json_null(struct mu__json *j);
void mu__json_base64(struct mu__json *j, const void *p, size_t len);
/* RFC 3339; null outside the years 1 to 9999. */
void mu__json_time(struct mu__json *j, struct mu_time t);
void mu__json_strs(struct mu__json *j, struct mu_strs v);     /* null when nil */
void mu__json_strmap(struct mu__json *j, struct mu_strmap v); /* null when nil */
/* An object; NULL: null. */
void mu__json_value(struct mu__json *j, const struct mu__schema *s, const void *obj);
/* One field's value. */
void mu__json_field(struct mu__json *j, const struct mu__field *f, const void *member);
void mu__json_any(struct mu__json *j, struct mu_str msgpack); /* one encoded value, transcoded */

/* "1m30s", as Go's time.Duration.String; returns the length. */
size_t mu__duration_format(int64_t ns, char buf[32]);
/* Go's time.ParseDuration: "1h30m", "150ms", "-1.5s". False when malformed or out of range. */
bool mu__duration_parse(const char *s, size_t len, int64_t *ns);
/* Go's words for what the parser has refused: `time: invalid duration "x"`, with 64 bytes of x at
 * most. */
void mu__duration_error(struct mu_str text, char *err, size_t errlen);

static inline struct mu_str mu__cstr(const char *s)
{
    size_t n = 0;
    while (s && s[n]) {
        n++;
    }
    return (struct mu_str){s, n};
}
int mu__str_cmp(struct mu_str a, struct mu_str b); /* byte order */
bool mu__str_eq(struct mu_str a, struct mu_str b);
bool mu__str_ieq(struct mu_str a, struct mu_str b);                       /* ASCII case folded */
struct mu_str mu__strmap_get(const struct mu_strmap *m, const char *key); /* p NULL: absent */
