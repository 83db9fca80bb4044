#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *fail(const char *verb, const char *path, const char *reason, char *why, size_t cap)
{
    snprintf(why, cap, "%s %.400s: %c%s", verb, path, tolower((unsigned char)*reason), reason + 1);
    return NULL;
}

static char *read_all(FILE *f, const char *path, size_t *len, char *why, size_t cap)
{
    char *text = malloc(CLI_FILE_MAX + 2);
    if (!text) {
        return fail("read", path, strerror(ENOMEM), why, cap);
    }
    *len = fread(text, 1, CLI_FILE_MAX + 1, f);
    if (ferror(f) || *len > CLI_FILE_MAX) {
        fail("read", path, strerror(ferror(f) ? errno : EFBIG), why, cap);
        free(text);
        return NULL;
    }
    text[*len] = '\0';
    return text;
}

char *cli_read_file(const char *path, size_t *len, char *why, size_t cap)
{
    if (strcmp(path, "-") == 0) {
        return read_all(stdin, path, len, why, cap);
    }
    FILE *f = fopen(path, "re");
    if (!f) {
        return fail("open", path, strerror(errno), why, cap);
    }
    char *text = read_all(f, path, len, why, cap);
    fclose(f);
    return text;
}
