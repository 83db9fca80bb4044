/* json_internal.h - the decoder of json.c: text that json_scan has passed, and where in it we
 * are. */
#pragma once

#include "json.h"

#define JSON_PATH_MAX 16u /* nesting of schemas; further names are left out of error texts */

struct json_decoder {
    const char *text;
    size_t pos, end; /* end is behind the value; only a bare scalar ever touches it */
    struct mu__arena *arena;
    char *err;
    size_t errlen;
    /* The struct that an error names, "" for those with an unmarshaler of their own */
    const char *type;
    struct mu_str path[JSON_PATH_MAX];
    size_t npath;
    bool known_only; /* other keys are passed over */
    bool frozen;     /* inside such a struct Go reports the place where it is embedded */
};

/* ---- json_walk.c: moving through valid text ---- */
char json__next(struct json_decoder *d); /* skips blanks, commas and colons; does not consume */
struct mu_str json__raw_string(struct json_decoder *d); /* between the quotes; consumes */
struct mu_str json__raw_scalar(struct json_decoder *d); /* number or literal; consumes */
void json__skip(struct json_decoder *d);                /* one value */
/* Values in the container that starts here (pairs of an object count once). Does not move. */
size_t json__count(const struct json_decoder *from);
bool json__take_null(struct json_decoder *d);

/* ---- json_error.c: all return false, so that a decoder can return them ---- */
bool json__fail(struct json_decoder *d, const char *text);
bool json__out_of_memory(struct json_decoder *d);
bool json__mismatch(struct json_decoder *d, const char *go_type);
/* go_type is <before>structs.<name of s><after>, or without the package if the name has one */
bool json__mismatch_sub(struct json_decoder *d, const char *before, const struct mu__schema *s,
                        const char *after);
/* raw is the value as it was written. */
bool json__not_a_number(struct json_decoder *d, struct mu_str raw, const char *reason);
bool json__unknown_field(struct json_decoder *d, const struct mu__schema *s, struct mu_str key);
/* Records whose Go types decode themselves: inside them Go has lost the path. */
bool json__decodes_itself(const struct mu__schema *s);
/* One of these skips keys that it does not know. */
bool json__takes_anything(const struct mu__schema *s);
/* Members that no longer mean anything but that clients still send: Go's sends "Address" with each
 * deregistration. */
bool json__was_text_once(const struct mu__schema *s, struct mu_str key);
/* Go's name for the type of a text: "types.CheckID". */
const char *json__text_type(const struct mu__schema *s, const struct mu__field *f);
const char *json__type_name(const struct mu__schema *s); /* without its package */

/* ---- json_scalar.c: one value each; null leaves a text as it was ---- */
bool json__text(struct json_decoder *d, struct mu_str *out);
bool json__text_of_type(struct json_decoder *d, const char *go_type, struct mu_str *out);
bool json__boolean(struct json_decoder *d, bool *out);
bool json__integer(struct json_decoder *d, int64_t *out);
bool json__unsigned_integer(struct json_decoder *d, uint64_t *out);
bool json__real(struct json_decoder *d, double *out);
bool json__duration(struct json_decoder *d, int64_t *out);
/* As Go's sessions read a delay: less than 1000 are seconds, and what is no duration is none. */
bool json__seconds(struct json_decoder *d, int64_t *out);
bool json__bytes(struct json_decoder *d, struct mu_str *out);
bool json__time_value(struct json_decoder *d, struct mu_time *out);

/* json_time.c: RFC 3339 5.6, with at most nine digits of fraction that count. */
bool json__parse_time(const char *s, struct mu_time *out);

/* ---- json_free.c: a value of any shape, as msgpack with sorted unique keys ---- */
bool json__any_map(struct json_decoder *d, struct mu_str *out);
