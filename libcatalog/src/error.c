/* error.c - what each error code means and what to do about it. */
#include <muster/catalog.h>

static const struct {
    int code;
    enum mu_err_class class;
    const char *text;
} ERRORS[] = {
    {CATALOG_OK, MU_CLASS_OK, "success"},
    {CATALOG_ENOMEM, MU_CLASS_RETRY, "out of memory"},
    {CATALOG_EINVAL, MU_CLASS_CALLER, "an argument is out of its range"},
    {CATALOG_EUNKNOWN, MU_CLASS_FATAL, "a log entry is of a type that this release does not know"},
    {CATALOG_ESNAPSHOT, MU_CLASS_PEER, "the snapshot is damaged or cut short"},
    {CATALOG_ENEWER, MU_CLASS_PEER, "the snapshot was written by a newer release"},
    {CATALOG_EIO, MU_CLASS_CALLER, "the caller's read or write function failed"},
    {CATALOG_ENOBUFS, MU_CLASS_CALLER, "the buffer is too small"},
};

const char *catalog_strerror(int code)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        if (ERRORS[i].code == code) {
            return ERRORS[i].text;
        }
    }
    return "unknown error";
}

enum mu_err_class catalog_err_class(int code)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        if (ERRORS[i].code == code) {
            return ERRORS[i].class;
        }
    }
    return MU_CLASS_FATAL;
}

const char *catalog_version(void)
{
    return CATALOG_VERSION;
}
