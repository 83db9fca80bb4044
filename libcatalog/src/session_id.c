/* session_id.c - what can be the id of a session, in the words of the original's index. */
#include <muster/catalog.h>

#include "records.h"
#include "text.h"

#define ID_LEN      36u
#define HYPHENS_MAX 4u

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* As Go prints the character of a byte: its number and, if it can be seen, itself. */
static void say_byte(struct catalog__text *t, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t b = (uint8_t)c;
    char code[] = {'U', '+', '0', '0', hex[b >> 4], hex[b & 15], '\0'};
    char ascii[] = {' ', '\'', c, '\'', '\0'};
    char latin[] = {' ', '\'', (char)(0xc0 | b >> 6), (char)(0x80 | (b & 0x3f)), '\'', '\0'};
    catalog__say(t, code);
    if (b >= 0x20 && b < 0x7f) {
        catalog__say(t, ascii);
    } else if (b > 0xa0 && b != 0xad) {
        catalog__say(t, latin);
    }
}

static const char *refuse(struct mu_str id, struct catalog__text *t)
{
    size_t hyphens = 0;
    for (size_t i = 0; i < id.len; i++) {
        hyphens += id.p[i] == '-';
    }
    catalog__say(t, "failed session lookup: index error: ");
    if (id.len != ID_LEN) {
        catalog__say(t, "UUID must be 36 characters");
        return t->p;
    }
    if (hyphens > HYPHENS_MAX) {
        catalog__say(t, "UUID should have maximum of 4 \"-\"; got ");
        catalog__say_uint(t, hyphens);
        return t->p;
    }
    if ((id.len - hyphens) % 2 != 0) {
        catalog__say(t, "Input (without hyphens) must be even length");
        return t->p;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (id.p[i] != '-' && !is_hex(id.p[i])) {
            catalog__say(t, "Invalid UUID: encoding/hex: invalid byte: ");
            say_byte(t, id.p[i]);
            return t->p;
        }
    }
    return NULL;
}

const char *catalog_session_id_check(struct mu_str id, char *text, size_t size)
{
    struct catalog__text t = catalog__text(text, size);
    return refuse(id, &t);
}

bool catalog__is_session_id(struct mu_str id)
{
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    return catalog_session_id_check(id, text, sizeof text) == NULL;
}

struct mu_str catalog__session_key(struct catalog__session_key *k, struct mu_str id)
{
    k->len = 0;
    for (size_t i = 0; i < id.len && id.len <= sizeof k->bytes; i++) {
        char c = id.p[i];
        if (c >= 'A' && c <= 'F') {
            c = (char)(c - 'A' + 'a');
        }
        if (c != '-') {
            k->bytes[k->len++] = c;
        }
    }
    return (struct mu_str){k->bytes, k->len};
}
