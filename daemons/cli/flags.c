#include "cli.h"

#include <stdio.h>
#include <string.h>

#define COMMON_FLAGS 5

static const struct cli_flag *find(const struct cli_flag *flags, const char *name, size_t len)
{
    for (; flags && flags->name; flags++) {
        if (strlen(flags->name) == len && strncmp(flags->name, name, len) == 0) {
            return flags;
        }
    }
    return NULL;
}

static void print_flags(FILE *to, const struct cli_flag *flags)
{
    for (; flags && flags->name; flags++) {
        fprintf(to, "  -%s%s\n     %s\n", flags->name, flags->value ? "=<value>" : "", flags->help);
    }
}

static void print_lists(FILE *to, const struct cli_list_flag *flags)
{
    for (; flags && flags->name; flags++) {
        fprintf(to, "  -%s=<value>\n     %s\n", flags->name, flags->help);
    }
}

static int fail(const char *usage, const struct cli_flag *own, const struct cli_flag *common,
                const struct cli_list_flag *lists)
{
    fprintf(stderr, "%s\n\n", usage);
    print_flags(stderr, own);
    print_lists(stderr, lists);
    print_flags(stderr, common);
    return -1;
}

static const struct cli_list_flag *find_list(const struct cli_list_flag *flags, const char *name,
                                             size_t len)
{
    for (; flags && flags->name; flags++) {
        if (strlen(flags->name) == len && strncmp(flags->name, name, len) == 0) {
            return flags;
        }
    }
    return NULL;
}

static bool add(const struct cli_list_flag *f, const char *value)
{
    if (f->list->len == CLI_LIST_MAX) {
        fprintf(stderr, "-%s is given more than %u times\n", f->name, CLI_LIST_MAX);
        return false;
    }
    f->list->items[f->list->len++] = value;
    return true;
}

/* One flag at argv[*i]; false after a message. */
static bool read_flag(int argc, char **argv, int *i, const struct cli_flag *own,
                      const struct cli_flag *common, const struct cli_list_flag *lists)
{
    const char *name = argv[*i] + 1 + (argv[*i][1] == '-');
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct cli_flag *f = find(own, name, len);
    f = f ? f : find(common, name, len);
    const struct cli_list_flag *l = find_list(lists, name, len);
    if (!f && !l) {
        fprintf(stderr, "flag provided but not defined: -%.*s\n", (int)len, name);
        return false;
    }
    if (!l && f->set) {
        if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
            fprintf(stderr, "invalid boolean value \"%s\" for -%s\n", value, f->name);
            return false;
        }
        *f->set = !value || strcmp(value, "true") == 0;
        return true;
    }
    if (!value && *i + 1 >= argc) {
        fprintf(stderr, "flag needs an argument: -%.*s\n", (int)len, name);
        return false;
    }
    value = value ? value : argv[++*i];
    if (l) {
        return add(l, value);
    }
    *f->value = value;
    return true;
}

int cli_parse(int argc, char **argv, const char *usage, const struct cli_flag *flags,
              struct cli_common *common)
{
    struct cli_common unused = {0};
    struct cli_common *c = common ? common : &unused;
    const struct cli_flag shared[COMMON_FLAGS + 1] = {
        {"http-addr", NULL, &c->http_addr,
         "Address and port of the agent's HTTP API; also unix:///path; default 127.0.0.1:8500, or "
         "CONSUL_HTTP_ADDR."},
        {"token-file", NULL, &c->token_file,
         "File with the ACL token; counts more than -token. Default CONSUL_HTTP_TOKEN_FILE."},
        {"token", NULL, &c->token, "ACL token of the request; default CONSUL_HTTP_TOKEN."},
        {"datacenter", NULL, &c->datacenter, "Datacenter to ask; default the agent's own."},
        {"stale", &c->stale, NULL, "Let any server answer, even without a leader."},
        {0},
    };
    const struct cli_flag *common_flags = common ? shared : NULL;
    const struct cli_list_flag *lists = c->lists;
    int i = 0;
    while (i < argc && argv[i][0] == '-' && argv[i][1]) {
        if (strcmp(argv[i], "--") == 0) {
            return i + 1;
        }
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "-help") == 0 ||
            strcmp(argv[i], "--help") == 0) {
            printf("%s\n\n", usage);
            print_flags(stdout, flags);
            print_lists(stdout, lists);
            print_flags(stdout, common_flags);
            return -2;
        }
        if (!read_flag(argc, argv, &i, flags, common_flags, lists)) {
            return fail(usage, flags, common_flags, lists);
        }
        i++;
    }
    return i;
}

bool cli_connect(const struct cli_common *common, struct cli_client *out)
{
    *out = (struct cli_client){.datacenter = common->datacenter ? common->datacenter : "",
                               .stale = common->stale};
    return cli_client_init(out, common->http_addr, common->token, common->token_file);
}

#define COLUMNS_MAX 16

/* How wide UTF-8 text is shown: its characters. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

void cli_table(const char *const *cells, size_t rows, size_t columns)
{
    size_t width[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < rows * columns; i++) {
        size_t len = width_of(cells[i]);
        width[i % columns] = len > width[i % columns] ? len : width[i % columns];
    }
    for (size_t i = 0; i < rows * columns; i++) {
        bool last = i % columns == columns - 1;
        printf(last ? "%s%*s\n" : "%s%*s", cells[i],
               last ? 0 : (int)(width[i % columns] - width_of(cells[i]) + 2), "");
    }
}
