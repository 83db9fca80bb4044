/* cmd_validate.c - `muster validate`: would the agent take these files? */
#include "agent/definitions.h"
#include "base/config.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The flags with which an agent would be given the files; to be freed with free. */
static char **agent_flags(char *const paths[], int npaths, const char *format, int *n)
{
    static char config_format[] = "-config-format", config_file[] = "-config-file";
    char **flags = calloc(2 * (size_t)npaths + 3, sizeof *flags);
    if (!flags) {
        abort();
    }
    *n = 0;
    if (*format) {
        flags[(*n)++] = config_format;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): flags are not written to. */
        flags[(*n)++] = (char *)(uintptr_t)format;
    }
    for (int i = 0; i < npaths; i++) {
        flags[(*n)++] = config_file;
        flags[(*n)++] = paths[i];
    }
    return flags;
}

static int validate(char *const paths[], int npaths, const char *format, bool quiet)
{
    char err[CONFIG_ERROR_MAX];
    bool help;
    int nflags;
    char **flags = agent_flags(paths, npaths, format, &nflags);
    struct config *c = config_load(nflags, flags, &help, err, sizeof err);
    bool ok = c && definitions_decode_files(c, err, sizeof err);
    free(flags);
    if (!ok) {
        fprintf(stderr, "Config validation failed: %s\n", err);
    } else if (!quiet) {
        for (size_t i = 0; i < c->warnings.len; i++) {
            fprintf(stderr, "%s\n", c->warnings.items[i].p);
        }
        printf("Configuration is valid!\n");
    }
    config_destroy(c);
    return ok ? 0 : 1;
}

int cmd_validate(int argc, char **argv)
{
    static const char usage[] =
        "Usage: muster validate [options] FILE_OR_DIRECTORY...\n\n"
        "  Reads configuration files as the agent would, all of them together, and says what is\n"
        "  wrong. Returns 0 if the configuration is valid.";
    bool quiet = false;
    const char *format = "";
    const struct cli_flag flags[] = {
        {"config-format", NULL, &format, "Format of all files: hcl, json or yaml."},
        {"quiet", &quiet, NULL, "Print nothing if all is well."},
        {0}};
    int at = cli_parse(argc, argv, usage, flags, NULL);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (*format && strcmp(format, "hcl") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "yaml") != 0) {
        fprintf(stderr, "-config-format must be either 'hcl', 'json' or 'yaml'\n");
        return 1;
    }
    if (at == argc) {
        fprintf(stderr, "Must specify at least one config file or directory\n");
        return 1;
    }
    return validate(argv + at, argc - at, format, quiet);
}
