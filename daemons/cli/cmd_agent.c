/* cmd_agent.c - `muster agent`: the configuration says which of the two daemons to become. */
#include "base/config.h"
#include "cli.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The daemon beside this program; else the one in PATH. */
static void become(const char *name, int argc, char **argv)
{
    char self[4096], path[4096 + 32];
    char **args = calloc((size_t)argc + 2, sizeof *args);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (!args) {
        abort();
    }
    for (int i = 0; i < argc; i++) {
        args[i + 1] = argv[i];
    }
    if (n > 0) {
        self[n] = '\0';
        snprintf(path, sizeof path, "%s/%s", dirname(self), name);
        args[0] = path;
        execv(path, args);
    }
    args[0] = path;
    snprintf(path, sizeof path, "%s", name);
    execvp(path, args);
    fprintf(stderr, "==> cannot run %s: %s\n", name, strerror(errno));
    free(args);
}

int cmd_agent(int argc, char **argv)
{
    char err[CONFIG_ERROR_MAX];
    bool help = false;
    struct config *c = config_load(argc, argv, &help, err, sizeof err);
    if (help) {
        printf("Usage: muster agent [options]\n\n  Starts the agent, as a server with -server or "
               "-dev, and runs until it is interrupted.\n\n");
        config_print_usage(stdout);
        return 0;
    }
    if (!c) {
        fprintf(stderr, "==> %s\n", err);
        return 1;
    }
    bool server = c->server;
    config_destroy(c);
    become(server ? "muster-server" : "muster-agent", argc, argv);
    return 1;
}
