/* replay.c - runs a fuzz target over files with an ordinary compiler: each argument is a file or a
 * folder of files. Linked to one tests/fuzz/fuzz_*.c, it replays corpus and past crashes in every
 * test run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    size_t cap = 1 << 20, len = 0;
    uint8_t *data = malloc(cap);
    for (size_t n; data && (n = fread(data + len, 1, cap - len, f)) > 0;) {
        len += n;
        if (len == cap) {
            data = realloc(data, cap *= 2);
        }
    }
    fclose(f);
    if (!data) {
        return -1;
    }
    /* An exact copy, so that a sanitizer sees a read past the end. */
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, data, len);
    free(data);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 0;
}

static int replay(const char *path, unsigned *count)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return 0; /* a corpus folder that is not there yet */
    }
    if (!S_ISDIR(st.st_mode)) {
        ++*count;
        return replay_file(path);
    }
    DIR *d = opendir(path);
    if (!d) {
        return -1;
    }
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
        char name[4096];
        if (e->d_name[0] != '.' &&
            snprintf(name, sizeof name, "%s/%s", path, e->d_name) < (int)sizeof name) {
            rc = replay(name, count);
        }
    }
    closedir(d);
    return rc;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        if (replay(argv[i], &count) != 0) {
            return 1;
        }
    }
    printf("replayed %u inputs\n", count);
    return count > 0 ? 0 : 1; /* an empty corpus would prove nothing */
}
