/* unix_socket.h - a socket with a path, for clients of this host (agent-config 3.8). */
#pragma once

#include "base/config.h"

/* Listens at the path of a, whose owner and mode are those of unix_sockets; what an earlier process
 * left there is replaced. The socket, which does not block, or -1 with a sentence in err. */
int unix_socket_listen(const struct config *c, const struct config_address *a, char *err,
                       size_t errlen);
/* Removes the paths of all. */
void unix_sockets_remove(const struct config *c);
