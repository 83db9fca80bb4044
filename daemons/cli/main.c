/* main.c - `muster`: finds the command. It also goes by the name `consul`, so that scripts need no
 * change. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"agent", cmd_agent, "Runs a muster agent"},
    {"catalog", cmd_catalog, "Interact with the catalog"},
    {"config", cmd_config, "Interact with the central configuration"},
    {"connect", cmd_connect, "Runs the proxy for mTLS between services, and configures their CA"},
    {"event", cmd_event, "Fires an event that reaches every agent"},
    {"force-leave", cmd_force_leave, "Forces a member of the cluster to enter the \"left\" state"},
    {"info", cmd_info, "Provides debugging information for operators"},
    {"intention", cmd_intention, "Interact with intentions: which services may talk to which"},
    {"join", cmd_join, "Tells the agent to join a cluster"},
    {"keygen", cmd_keygen, "Generates a new gossip encryption key"},
    {"keyring", cmd_keyring, "Manages the keys that encrypt gossip"},
    {"kv", cmd_kv, "Interact with the key-value store"},
    {"leave", cmd_leave, "Gracefully leaves the cluster and shuts the agent down"},
    {"lock", cmd_lock, "Executes a command while a lock is held"},
    {"maint", cmd_maint, "Controls node or service maintenance mode"},
    {"members", cmd_members, "Lists the members of the cluster"},
    {"monitor", cmd_monitor, "Streams logs from an agent"},
    {"operator", cmd_operator, "Provides cluster-level tools for operators"},
    {"raft", cmd_raft, "Reads a server's log and snapshots from its folder"},
    {"reload", cmd_reload, "Triggers the agent to reload configuration files"},
    {"rtt", cmd_rtt, "Estimates the network round trip time between nodes"},
    {"services", cmd_services, "Registers and deregisters services of the local agent"},
    {"snapshot", cmd_snapshot, "Saves, restores and inspects snapshots of the servers' state"},
    {"validate", cmd_validate, "Validates configuration files and folders"},
    {"watch", cmd_watch, "Watches for changes, and tells a program of them"},
    {"version", cmd_version, "Prints the version"},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void usage(FILE *to)
{
    fprintf(to,
            "Usage: muster [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "    %-14s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(to, "\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-version") == 0 ||
        strcmp(name, "-v") == 0) {
        return cmd_version(0, NULL);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-help") == 0 || strcmp(name, "-h") == 0) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].run(argc - 2, argv + 2);
        }
    }
    usage(stderr);
    return 127;
}
