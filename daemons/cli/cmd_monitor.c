/* cmd_monitor.c - `muster monitor`: an agent's log as it is written. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char usage[] = "Usage: muster monitor [options]\n\n"
                            "  Shows recent log messages of an agent, and follows them, until it "
                            "is interrupted.";

static void print(void *user, const void *data, size_t len)
{
    (void)user;
    fwrite(data, 1, len, stdout);
    fflush(stdout);
}

int cmd_monitor(int argc, char **argv)
{
    const char *level = "INFO";
    bool json = false;
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    const struct cli_flag flags[] = {
        {"log-level", NULL, &level, "Level of the messages: trace, debug, info, warn or err."},
        {"log-json", &json, NULL, "Messages as JSON objects."},
        {0}};
    int at = cli_parse(argc, argv, usage, flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!cli_connect(&common, &client)) {
        return 1;
    }
    char path[256] = "/v1/agent/monitor?loglevel=";
    cli_escape(level, path, sizeof path);
    if (json) {
        snprintf(path + strlen(path), sizeof path - strlen(path), "&logjson=true");
    }
    cli_follow(&client, path, print, NULL, &r);
    bool ok = cli_response_ok(&r, "Error starting monitor");
    cli_response_free(&r);
    return ok ? 0 : 1;
}
