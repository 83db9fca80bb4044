#include "agent/user_event.h"

#include "msgpack.h"
#include "regexp.h"

#include <stddef.h>
#include <stdio.h>

#define FIELD(text, kind_, member)                                                                 \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct user_event, member)          \
    }
static const struct mu__field fields[] = {
    FIELD("ID", STR, id),
    FIELD("Name", STR, name),
    FIELD("Payload", BYTES, payload),
    FIELD("NodeFilter", STR, node_filter),
    FIELD("ServiceFilter", STR, service_filter),
    FIELD("TagFilter", STR, tag_filter),
    FIELD("Version", UINT, version),
    FIELD("LTime", UINT, ltime),
};
const struct mu__schema user_event_schema = {.name = "UserEvent",
                                             .fields = fields,
                                             .nfields = sizeof fields / sizeof *fields,
                                             .size = sizeof(struct user_event)};

/* ---- In gossip. The newer dialect of msgpack: text has a one-byte length, bytes are bin. ---- */

static void write_sized(struct mu__writer *w, uint8_t short8, uint8_t long16, struct mu_str s)
{
    if (s.len <= UINT8_MAX) {
        mu__write_u8(w, short8);
        mu__write_u8(w, (uint8_t)s.len);
    } else {
        mu__write_u8(w, long16);
        mu__write_u16be(w, (uint16_t)mu__min(s.len, UINT16_MAX));
    }
    mu__write_bytes(w, s.p, mu__min(s.len, UINT16_MAX));
}

static void write_text(struct mu__writer *w, const char *key, struct mu_str s)
{
    mu__mp_write_cstr(w, key);
    if (s.len < 32) {
        mu__mp_write_raw(w, s.p, s.len);
    } else {
        write_sized(w, 0xd9, 0xda, s);
    }
}

void user_event_encode(struct mu__writer *w, const struct user_event *ev)
{
    const struct {
        const char *key;
        struct mu_str value;
    } optional[] = {{"nf", ev->node_filter},
                    {"p", ev->payload},
                    {"sf", ev->service_filter},
                    {"tf", ev->tag_filter}};
    size_t n = 3;
    for (size_t i = 0; i < 4; i++) {
        n += optional[i].value.len > 0;
    }
    mu__mp_write_map(w, n);
    write_text(w, "ID", ev->id);
    write_text(w, "n", ev->name);
    for (size_t i = 0; i < 4; i++) {
        struct mu_str s = optional[i].value;
        if (s.len && optional[i].key[0] == 'p') {
            mu__mp_write_cstr(w, "p");
            write_sized(w, 0xc4, 0xc5, s);
        } else if (s.len) {
            write_text(w, optional[i].key, s);
        }
    }
    mu__mp_write_cstr(w, "v");
    mu__mp_write_uint(w, ev->version);
}

static struct mu_str *member_of(struct user_event *ev, struct mu_str key)
{
    return mu__str_is(key, "ID")   ? &ev->id
           : mu__str_is(key, "n")  ? &ev->name
           : mu__str_is(key, "nf") ? &ev->node_filter
           : mu__str_is(key, "p")  ? &ev->payload
           : mu__str_is(key, "sf") ? &ev->service_filter
           : mu__str_is(key, "tf") ? &ev->tag_filter
                                   : NULL;
}

bool user_event_decode(const void *p, size_t len, struct user_event *out)
{
    struct mu__reader r = mu__reader(p, len);
    *out = (struct user_event){.version = 0};
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        struct mu_str key = mu__mp_read_str(&r);
        struct mu_str *text = member_of(out, key);
        if (text) {
            *text = mu__mp_read_bytes(&r);
        } else if (mu__str_is(key, "v")) {
            out->version = mu__mp_read_uint(&r, UINT64_MAX);
        } else {
            mu__mp_skip(&r);
        }
    }
    return !r.failed && out->name.len > 0;
}

/* ---- Filters, index ---- */

static bool check_filter(const char *what, struct mu_str pattern, char *err, size_t errlen)
{
    struct mu__arena a;
    char why[256];
    if (!pattern.len) {
        return true;
    }
    mu__arena_init(&a, NULL, 0);
    bool ok = mu__regexp_compile(pattern, &a, why, sizeof why) != NULL;
    mu__arena_fini(&a);
    if (!ok) {
        snprintf(err, errlen, "Invalid %s filter: error parsing regexp: %s", what, why);
    }
    return ok;
}

bool user_event_check(const struct user_event *ev, char *err, size_t errlen)
{
    if (ev->tag_filter.len && !ev->service_filter.len) {
        snprintf(err, errlen, "Cannot provide tag filter without service filter");
        return false;
    }
    return check_filter("node", ev->node_filter, err, errlen) &&
           check_filter("service", ev->service_filter, err, errlen) &&
           check_filter("tag", ev->tag_filter, err, errlen);
}

static uint64_t hex(char c)
{
    return c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
           : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a') + 10
           : c >= 'A' && c <= 'F' ? (uint64_t)(c - 'A') + 10
                                  : 0;
}

uint64_t user_event_index(const struct user_event *ev)
{
    uint64_t half[2] = {0, 0};
    size_t digits = 0;
    for (size_t i = 0; i < ev->id.len && digits < 32; i++) {
        if (ev->id.p[i] != '-') {
            half[digits / 16] = half[digits / 16] << 4 | hex(ev->id.p[i]);
            digits++;
        }
    }
    uint64_t index = half[0] ^ half[1];
    return index ? index : 1;
}
