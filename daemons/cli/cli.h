/* cli.h - commands of the `muster` program, and their flags. */
#pragma once

#include "client.h"

#define CLI_LIST_MAX 256u
struct cli_list { /* of a flag that may be given several times */
    const char *items[CLI_LIST_MAX];
    size_t len;
};

struct cli_flag {
    const char *name;   /* without dashes */
    bool *set;          /* a flag without value (also -name=false), or NULL */
    const char **value; /* a flag with one, or NULL */
    const char *help;
};

struct cli_list_flag {
    const char *name;
    struct cli_list *list;
    const char *help;
};

/* Flags of every command that talks to an agent. */
struct cli_common {
    const char *http_addr, *token, *token_file, *datacenter;
    bool stale;
    const struct cli_list_flag
        *lists; /* the command's own, set before cli_parse; ends like flags */
};

/* Reads flags (-name, --name, -name=v, -name v) up to the first argument that is none; flags ends
 * with a NULL name. common may be NULL. Returns the index of the first argument, or -1 after a
 * message and the usage on stderr. -h: prints the usage on stdout and returns -2. */
int cli_parse(int argc, char **argv, const char *usage, const struct cli_flag *flags,
              struct cli_common *common);
bool cli_connect(const struct cli_common *common, struct cli_client *out);

/* Prints columns aligned by two blanks; cells is rows * columns of text. */
void cli_table(const char *const *cells, size_t rows, size_t columns);

/* Each is given the arguments behind its name, and returns the exit code. */
int cmd_agent(int argc, char **argv);
int cmd_members(int argc, char **argv);
int cmd_kv(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_leave(int argc, char **argv);
int cmd_force_leave(int argc, char **argv);
int cmd_operator(int argc, char **argv);
int cmd_raft(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_lock(int argc, char **argv);
int cmd_catalog(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_connect_proxy(int argc, char **argv); /* of cmd_connect */
int cmd_event(int argc, char **argv);
int cmd_intention(int argc, char **argv);
int cmd_intention_create(int argc, char **argv);
int cmd_keyring(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_rtt(int argc, char **argv);
int cmd_maint(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_services(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_validate(int argc, char **argv);
int cmd_version(int argc, char **argv);
