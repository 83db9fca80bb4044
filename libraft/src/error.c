#include <muster/raft.h>

struct error {
    int code;
    enum mu_err_class class;
    const char *text;
};

static const struct error errors[] = {
    {RAFT_OK, MU_CLASS_OK, "ok"},
    {RAFT_ENOMEM, MU_CLASS_RETRY, "out of memory"},
    {RAFT_EINVAL, MU_CLASS_CALLER, "invalid argument"},
    {RAFT_ENOTLEADER, MU_CLASS_RETRY, "this server is not the leader"},
    {RAFT_EBUSY, MU_CLASS_RETRY, "busy: a limit is reached or a change is under way"},
    {RAFT_ETRANSFER, MU_CLASS_RETRY, "leadership is being handed over"},
    {RAFT_ETOOBIG, MU_CLASS_CALLER, "entry too big"},
    {RAFT_EEXIST, MU_CLASS_CALLER, "exists already"},
    {RAFT_ENOENT, MU_CLASS_CALLER, "no such server or index"},
    {RAFT_EPROTO, MU_CLASS_PEER, "malformed or impossible message"},
    {RAFT_ENOBUFS, MU_CLASS_CALLER, "buffer too small"},
    {RAFT_ELOST, MU_CLASS_RETRY, "leadership was lost"},
    {RAFT_ECORRUPT, MU_CLASS_FATAL, "the restored state contradicts itself"},
    {RAFT_EVERSION, MU_CLASS_PEER, "message of another version"},
};

static const struct error *find(int code)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].code == code) {
            return &errors[i];
        }
    }
    return NULL;
}

const char *raft_strerror(int code)
{
    const struct error *e = find(code);
    return e ? e->text : "unknown error";
}

enum mu_err_class raft_err_class(int code)
{
    const struct error *e = find(code);
    return e ? e->class : MU_CLASS_FATAL;
}

unsigned raft_version(void)
{
    return RAFT_VERSION;
}
