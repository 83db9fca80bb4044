/* pem.h - textual encoding (RFC 7468), without headers. */
#pragma once

#include "common.h"

struct mu__writer;
/* Finds the next block of that label in *text and decodes it. Moves *text past it. *der is freed
 * with mu__free.
 * Errors: CA_EMALFORMED (no block: *text is then empty; or a bad one), CA_ENOMEM. */
int ca__pem_next(struct mu_str *text, const char *label, const struct mu_allocator *a,
                 struct mu_str *der);
/* A copy of the DER in bytes, which are DER or one PEM block. */
int ca__pem_or_der(struct mu_str bytes, const char *const *labels, const struct mu_allocator *a,
                   struct mu_str *der);
void ca__pem_write(struct mu__writer *w, const char *label, struct mu_str der);
