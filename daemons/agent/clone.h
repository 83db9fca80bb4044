/* clone.h - copies of records in the arena of a call that crosses from one loop to another. */
#pragma once

#include "schema.h"

/* NULL when the arena has no room. */
void *clone_into(struct mu__arena *a, const struct mu__schema *s, const void *obj);
