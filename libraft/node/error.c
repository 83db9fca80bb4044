#include <muster/raft_node.h>

const char *raft_node_strerror(int code)
{
    switch (code) {
    case RAFT_NODE_EIO:
        return "the raft folder cannot be read or written";
    case RAFT_NODE_ECORRUPT:
        return "a file in the raft folder is damaged";
    case RAFT_NODE_ENOSPC:
        return "the disk is full";
    case RAFT_NODE_ESTOPPED:
        return "the raft node has stopped";
    case RAFT_NODE_ELOCKED:
        return "another process uses the raft folder";
    default:
        return raft_strerror(code);
    }
}

enum mu_err_class raft_node_err_class(int code)
{
    switch (code) {
    case RAFT_NODE_EIO:
    case RAFT_NODE_ECORRUPT:
    case RAFT_NODE_ESTOPPED:
        return MU_CLASS_FATAL;
    case RAFT_NODE_ENOSPC:
        return MU_CLASS_RETRY;
    case RAFT_NODE_ELOCKED:
        return MU_CLASS_CALLER;
    default:
        return raft_err_class(code);
    }
}
