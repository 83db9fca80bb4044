/* strconv.h - numbers and bools as Go's strconv reads them, with its words for what is wrong. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

/* ParseUint(s, 10, 64). False: err says why. */
bool strconv_uint(struct mu_str s, uint64_t *out, char *err, size_t errlen);
/* ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
bool strconv_bool(struct mu_str s, bool *out);
/* Atoi: a decimal number with or without a sign. False: err says why. */
bool strconv_int(struct mu_str s, int64_t *out, char *err, size_t errlen);
