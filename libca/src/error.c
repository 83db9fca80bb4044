#include <muster/ca.h>

const char *ca_version(void)
{
    return CA_VERSION;
}

const char *ca_strerror(int code)
{
    switch ((enum ca_err)code) {
    case CA_OK:
        return "success";
    case CA_ENOMEM:
        return "out of memory";
    case CA_EINVAL:
        return "an argument is out of its range";
    case CA_EMALFORMED:
        return "malformed";
    case CA_EUNSUPPORTED:
        return "an algorithm or key that is not accepted";
    case CA_EREFUSED:
        return "refused";
    case CA_ESIGNATURE:
        return "the signature is wrong";
    case CA_EKEY:
        return "the key does not belong to the certificate";
    case CA_EVALIDITY:
        return "expired, or not yet valid";
    case CA_ERANDOM:
        return "the random source failed";
    case CA_ENOBUFS:
        return "the buffer is too small";
    case CA_EID:
        return "not a valid SPIFFE id";
    case CA_EUNTRUSTED:
        return "the certificate is not trusted";
    }
    return "unknown error";
}

enum mu_err_class ca_err_class(int code)
{
    switch ((enum ca_err)code) {
    case CA_OK:
        return MU_CLASS_OK;
    case CA_ENOMEM:
    case CA_ERANDOM:
        return MU_CLASS_RETRY;
    case CA_EMALFORMED:
    case CA_EUNSUPPORTED:
    case CA_EREFUSED:
    case CA_ESIGNATURE:
    case CA_EUNTRUSTED:
        return MU_CLASS_PEER;
    case CA_EINVAL:
    case CA_EKEY:
    case CA_EVALIDITY:
    case CA_ENOBUFS:
    case CA_EID:
        return MU_CLASS_CALLER;
    }
    return MU_CLASS_FATAL;
}
