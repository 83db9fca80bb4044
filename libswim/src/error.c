#include <muster/swim.h>

const char *swim_strerror(int code)
{
    switch ((enum swim_err)code) {
    case SWIM_OK:
        return "success";
    case SWIM_ENOMEM:
        return "out of memory";
    case SWIM_EINVAL:
        return "an argument is out of its range";
    case SWIM_EPROTO:
        return "the peer sent a malformed message";
    case SWIM_ECRYPT:
        return "encryption does not match that of the peer";
    case SWIM_ENOENT:
        return "not found";
    case SWIM_ESIZE:
        return "too large";
    case SWIM_EFULL:
        return "a limit is reached";
    case SWIM_ELEFT:
        return "the pool was left";
    case SWIM_EREFUSED:
        return "the merge was refused";
    case SWIM_ECLOSED:
        return "the stream was closed too early";
    case SWIM_EREMOTE:
        return "the peer answered with an error";
    case SWIM_ETIMEOUT:
        return "not everybody answered in time";
    }
    return "unknown error";
}

enum mu_err_class swim_err_class(int code)
{
    switch ((enum swim_err)code) {
    case SWIM_OK:
        return MU_CLASS_OK;
    case SWIM_ENOMEM:
    case SWIM_EFULL:
    case SWIM_ECLOSED:
    case SWIM_ETIMEOUT:
        return MU_CLASS_RETRY;
    case SWIM_EPROTO:
    case SWIM_ECRYPT:
    case SWIM_EREFUSED:
    case SWIM_EREMOTE:
        return MU_CLASS_PEER;
    case SWIM_EINVAL:
    case SWIM_ENOENT:
    case SWIM_ESIZE:
    case SWIM_ELEFT:
        return MU_CLASS_CALLER;
    }
    return MU_CLASS_FATAL;
}

unsigned swim_version(void)
{
    return SWIM_VERSION;
}
