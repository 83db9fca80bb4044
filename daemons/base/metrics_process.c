/* metrics_process.c - process_*, which every Prometheus client library tells, and dashboards show.
 */
#include "metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTED_MAX 10000u /* open files that are counted one by one; with more it is not told */

static void say(struct mu__writer *w, const char *name, const char *type, double v)
{
    char text[256];
    int n = snprintf(text, sizeof text, "# HELP process_%s process_%s\n# TYPE process_%s %s\n",
                     name, name, name, type);
    mu__write_bytes(w, text, (size_t)n);
    n = snprintf(text, sizeof text, "process_%s %.17g\n", name, v);
    mu__write_bytes(w, text, (size_t)n);
}

/* Linux tells their number as the folder's size since 6.2. */
static bool count_files(double *n)
{
    struct stat st;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        *n = (double)st.st_size;
        return true;
    }
    DIR *d = opendir("/proc/self/fd");
    size_t seen = 0;
    while (d && seen <= COUNTED_MAX && readdir(d)) {
        seen++;
    }
    if (d) {
        closedir(d);
    }
    *n = (double)seen - 3; /* ".", ".." and the folder itself */
    return seen >= 3 && seen <= COUNTED_MAX;
}

static void say_files(struct mu__writer *w)
{
    double open;
    struct rlimit files;
    if (count_files(&open)) {
        say(w, "open_fds", "gauge", open);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        say(w, "max_fds", "gauge", (double)files.rlim_cur);
    }
}

struct times {
    unsigned long long user, system, started; /* in ticks; started: since the machine has */
    unsigned long long bytes, pages;          /* pages: resident */
};

/* proc(5): the name, in parentheses, may hold anything; the fields are counted behind it. */
static bool read_times(struct times *t)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) {
        fclose(f);
    }
    text[n] = '\0';
    char *field = strrchr(text, ')');
    unsigned long long values[25] = {0};
    size_t number = 2;
    for (char *rest = NULL, *p = strtok_r(field ? field + 1 : text + n, " ", &rest);
         p && number < 24; p = strtok_r(NULL, " ", &rest)) {
        values[++number] = strtoull(p, NULL, 10);
    }
    *t = (struct times){values[14], values[15], values[22], values[23], values[24]};
    return number == 24;
}

static bool read_boot_time(unsigned long long *unix_s)
{
    char line[256];
    bool found = false;
    FILE *f = fopen("/proc/stat", "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        found = strncmp(line, "btime ", 6) == 0;
        *unix_s = found ? strtoull(line + 6, NULL, 10) : 0;
    }
    if (f) {
        fclose(f);
    }
    return found;
}

void metrics_write_process(struct mu__writer *w)
{
    struct times t;
    struct rlimit room;
    unsigned long long boot;
    double tick = (double)sysconf(_SC_CLK_TCK);
    if (read_times(&t)) {
        say(w, "cpu_seconds_total", "counter", (double)(t.user + t.system) / tick);
        say(w, "resident_memory_bytes", "gauge", (double)t.pages * (double)sysconf(_SC_PAGESIZE));
        say(w, "virtual_memory_bytes", "gauge", (double)t.bytes);
        if (read_boot_time(&boot)) {
            say(w, "start_time_seconds", "gauge", (double)boot + (double)t.started / tick);
        }
    }
    if (getrlimit(RLIMIT_AS, &room) == 0) {
        say(w, "virtual_memory_max_bytes", "gauge",
            room.rlim_cur == RLIM_INFINITY ? -1.0 : (double)room.rlim_cur);
    }
    say_files(w);
}
