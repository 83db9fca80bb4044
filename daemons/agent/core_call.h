/* core_call.h - calls that the core loop makes: started on a front, answered on the core loop.
 *
 * A call lives on one front; its reply is lent there until done returns. So the request is filled
 * on the core loop before the front sees it, and the reply is copied before the core loop does. */
#pragma once

#include "base/loop.h"
#include "rpc/call.h"

struct core_caller;
/* error NULL: success, and reply (NULL unless the endpoint replies with a struct or a bool) is lent
 * until done returns. */
typedef void (*core_call_done_fn)(void *arg, const char *error, const void *reply);

/* Core loop. NULL when out of memory. front and backend are borrowed until the loops have ended. */
struct core_caller *core_caller_create(struct loop *core, struct loop *front,
                                       struct call_backend *backend);
/* Core loop: no done runs any more, and no further call is started. Gives the caller up: it frees
 * itself with its last call. NULL is allowed. */
void core_caller_close(struct core_caller *c);

/* Core loop: a call with a cleared request, to be filled in the call's arena and started. NULL when
 * out of memory. */
struct call *core_call_create(struct core_caller *c, const struct endpoint *e,
                              core_call_done_fn done, void *arg);
void core_call_start(struct call *call); /* takes the call */
void core_call_drop(struct call *call);  /* likewise: it is not started after all */
