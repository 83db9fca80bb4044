#include "files.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#define FILES_WANTED (1u << 20)

static struct rlimit inherited; /* written once, before there are threads */
static bool raised;

void files_raise_limit(void)
{
    if (getrlimit(RLIMIT_NOFILE, &inherited) != 0) {
        return;
    }
    struct rlimit all = {inherited.rlim_max, inherited.rlim_max},
                  more = {FILES_WANTED, FILES_WANTED};
    bool is_low = inherited.rlim_max != RLIM_INFINITY && inherited.rlim_max < FILES_WANTED;
    /* Above the hard limit only for who is privileged */
    raised =
        (is_low && setrlimit(RLIMIT_NOFILE, &more) == 0) || setrlimit(RLIMIT_NOFILE, &all) == 0;
}

size_t files_limit(void)
{
    struct rlimit now;
    return getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur != RLIM_INFINITY
               ? (size_t)now.rlim_cur
               : 0;
}

void files_restore_limit(pid_t pid)
{
    if (raised) {
        (void)prlimit(pid, RLIMIT_NOFILE, &inherited, NULL);
    }
}
