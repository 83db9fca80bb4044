/* text.h - error texts for people, cut to a buffer. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

#define CATALOG__TEXT_MAX 2048u /* bytes of an error text with its zero */

struct catalog__text {
    char *p;
    size_t len, size; /* len < size: there is always a zero behind it */
};

/* Empties a buffer of size > 0 bytes. */
struct catalog__text catalog__text(char *buf, size_t size);
/* Appends; what does not fit is cut. */
void catalog__say(struct catalog__text *t, const char *s);
void catalog__say_str(struct catalog__text *t, struct mu_str s);
/* "a\"b", like Go's %q for ASCII */
void catalog__say_quoted(struct catalog__text *t, struct mu_str s);
/* 8-4-4-4-12 hexadecimal digits; why goes on with the reason if not. */
bool catalog__is_uuid(struct mu_str id, struct catalog__text *why); /* prepare.c */
void catalog__say_uint(struct catalog__text *t, uint64_t v);
