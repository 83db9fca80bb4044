/* mu.h - the words that muster's public headers share; there is no code behind them. */
#ifndef MUSTER_MU_H
#define MUSTER_MU_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MU_API      __attribute__((visibility("default")))
#define MU_MUST_USE __attribute__((warn_unused_result))
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

/* The members that records are made of. In all containers: items NULL means nil (msgpack nil, JSON
 * null); items non-NULL with len 0 means empty. Maps are sorted by key in byte order, and their
 * keys are unique. */
struct mu_strs {
    struct mu_str *items;
    size_t len;
};
struct mu_floats {
    double *items;
    size_t len;
};
struct mu_uints {
    uint64_t *items;
    size_t len;
};
struct mu_pair {
    struct mu_str key, value;
};
struct mu_strmap { /* name -> text */
    struct mu_pair *items;
    size_t len;
};
struct mu_strs_named {
    struct mu_str key;
    struct mu_strs value;
};
struct mu_strsmap { /* name -> list of text */
    struct mu_strs_named *items;
    size_t len;
};
struct mu_list { /* pointers to records of one type, which the field that holds the list names */
    void **items;
    size_t len;
};
struct mu_named {
    struct mu_str key;
    void *value;
};
struct mu_structmap { /* name -> pointer to a record */
    struct mu_named *items;
    size_t len;
};
/* UTC; the zero value is Go's zero time, 0001-01-01T00:00:00Z. */
struct mu_time {
    int64_t since_year1_s; /* Unix time + MU_YEAR1_TO_UNIX_S */
    uint32_t ns;           /* 0 to 999999999 */
};
#define MU_YEAR1_TO_UNIX_S INT64_C(62135596800)

#ifdef __cplusplus
}
#endif
#endif
