/* mu.h - the words that muster's public headers share; there is no code behind them. */
#ifndef MUSTER_MU_H
#define MUSTER_MU_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MU_API       __attribute__((visibility("default")))
#define MU_MUST_USE  __attribute__((warn_unused_result))
#else
#define MU_API
#define MU_MUST_USE
#endif

/* Durations and monotonic times are nanoseconds in a uint64_t. */
#define MU_USEC  UINT64_C(1000)
#define MU_MSEC  UINT64_C(1000000)
#define MU_SEC   UINT64_C(1000000000)
#define MU_NEVER UINT64_MAX /* a deadline that does not come */

#ifdef __cplusplus
extern "C" {
#endif

/* What a caller should do about an error. */
enum mu_err_class {
    MU_CLASS_OK = 0,
    MU_CLASS_RETRY,  /* later, unchanged */
    MU_CLASS_PEER,   /* the other side sent rubbish: drop it and go on */
    MU_CLASS_CALLER, /* a bad value was passed */
    MU_CLASS_FATAL   /* destroy the object */
};

enum mu_level { MU_TRACE = 0, MU_DEBUG, MU_INFO, MU_WARN, MU_ERROR };

/* Where an object takes its memory from. Copied into the object; a NULL pointer to it means malloc.
 * alloc returns NULL when out of memory; realloc follows realloc(3), free accepts NULL. */
struct mu_allocator {
    void *user;
    void *(*alloc)(void *user, size_t size);
    void *(*realloc)(void *user, void *p, size_t size);
    void (*free)(void *user, void *p);
};

/* Text or bytes that somebody else owns; not terminated by a zero. p may be NULL when len is 0. */
struct mu_str {
    const char *p;
    size_t len;
};

#ifdef __cplusplus
}
#endif
#endif
