#include "host.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ERRORS_MAX 8u

struct errors {
    char text[ERRORS_MAX][128];
    size_t len;
};

static void complain(struct errors *e, const char *what)
{
    if (e->len < ERRORS_MAX) {
        snprintf(e->text[e->len++], sizeof e->text[0], "%s: %s", what, strerror(errno));
    }
}

static void put_uint(struct mu__json *j, const char *key, uint64_t v)
{
    mu__json_ckey(j, key);
    mu__json_uint(j, v);
}

static void put_text(struct mu__json *j, const char *key, const char *v)
{
    mu__json_ckey(j, key);
    mu__json_cstr(j, v);
}

static void put_percent(struct mu__json *j, const char *key, uint64_t part, uint64_t whole)
{
    mu__json_ckey(j, key);
    mu__json_float(j, whole ? (double)part / (double)whole * 100 : 0);
}

/* "Key  :  value\n" apart; NULL where there is no colon. */
static char *split_line(char *line)
{
    char *colon = strchr(line, ':');
    if (!colon) {
        return NULL;
    }
    char *end = colon, *value = colon + 1;
    while (end > line && isspace((unsigned char)end[-1])) {
        end--;
    }
    *end = '\0';
    value += strspn(value, " \t");
    value[strcspn(value, "\n")] = '\0';
    return value;
}

/* The first line of a file, without its end; empty if there is none. */
static void first_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    out[0] = '\0';
    if (f) {
        if (fgets(out, (int)size, f)) {
            out[strcspn(out, "\n")] = '\0';
        }
        fclose(f);
    }
}

/* ---- Memory ---- */

static const struct {
    const char *key, *line; /* line NULL: other systems have it */
} memory_fields[] = {
    {"free", "MemFree"},
    {"active", "Active"},
    {"inactive", "Inactive"},
    {"wired", NULL},
    {"laundry", NULL},
    {"buffers", "Buffers"},
    {"cached", "Cached"},
    {"writeback", "Writeback"},
    {"dirty", "Dirty"},
    {"writebacktmp", "WritebackTmp"},
    {"shared", "Shmem"},
    {"slab", "Slab"},
    {"sreclaimable", "SReclaimable"},
    {"sunreclaim", "SUnreclaim"},
    {"pagetables", "PageTables"},
    {"swapcached", "SwapCached"},
    {"commitlimit", "CommitLimit"},
    {"committedas", "Committed_AS"},
    {"hightotal", "HighTotal"},
    {"highfree", "HighFree"},
    {"lowtotal", "LowTotal"},
    {"lowfree", "LowFree"},
    {"swaptotal", "SwapTotal"},
    {"swapfree", "SwapFree"},
    {"mapped", "Mapped"},
    {"vmalloctotal", "VmallocTotal"},
    {"vmallocused", "VmallocUsed"},
    {"vmallocchunk", "VmallocChunk"},
    {"hugepagestotal", "HugePages_Total"},
    {"hugepagesfree", "HugePages_Free"},
    {"hugepagesize", "Hugepagesize"},
};
#define MEMORY_FIELDS (sizeof memory_fields / sizeof *memory_fields)

struct memory {
    uint64_t total, available, fields[MEMORY_FIELDS];
};

static void take_memory_line(struct memory *m, const char *key, const char *value)
{
    char *unit;
    uint64_t v = strtoull(value, &unit, 10);
    if (strcmp(unit, " kB") == 0) {
        v *= 1024;
    }
    if (strcmp(key, "MemTotal") == 0) {
        m->total = v;
    } else if (strcmp(key, "MemAvailable") == 0) {
        m->available = v;
    }
    for (size_t i = 0; i < MEMORY_FIELDS; i++) {
        if (memory_fields[i].line && strcmp(key, memory_fields[i].line) == 0) {
            m->fields[i] = v;
        }
    }
}

static uint64_t memory_field(const struct memory *m, const char *key)
{
    for (size_t i = 0; i < MEMORY_FIELDS; i++) {
        if (strcmp(memory_fields[i].key, key) == 0) {
            return m->fields[i];
        }
    }
    return 0;
}

static void write_memory(struct mu__json *j, struct errors *e)
{
    struct memory m = {.total = 0};
    char line[256];
    FILE *f = fopen("/proc/meminfo", "re");
    if (!f) {
        complain(e, "/proc/meminfo");
    }
    while (f && fgets(line, sizeof line, f)) {
        const char *value = split_line(line);
        if (value) {
            take_memory_line(&m, line, value);
        }
    }
    if (f) {
        fclose(f);
    }
    /* What can be reclaimed at once counts as cached, as in free(1). */
    uint64_t reclaimable = memory_field(&m, "sreclaimable");
    uint64_t unused = memory_field(&m, "free") + memory_field(&m, "buffers") +
                      memory_field(&m, "cached") + reclaimable;
    uint64_t used = m.total > unused ? m.total - unused : 0;
    mu__json_object(j);
    put_uint(j, "total", m.total);
    put_uint(j, "available", m.available);
    put_uint(j, "used", used);
    put_percent(j, "usedPercent", used, m.total);
    for (size_t i = 0; i < MEMORY_FIELDS; i++) {
        bool is_cached = strcmp(memory_fields[i].key, "cached") == 0;
        put_uint(j, memory_fields[i].key, m.fields[i] + (is_cached ? reclaimable : 0));
    }
    mu__json_object_end(j);
}

/* ---- Processors ---- */

/* Their lines in /proc/cpuinfo, in the order of the answer. */
static const struct {
    const char *key, *line;
    enum { CPU_INT, CPU_TEXT, CPU_FLOAT, CPU_WORDS, CPU_ONE } kind;
} cpu_fields[] = {
    {"cpu", "processor", CPU_INT},         {"vendorId", "vendor_id", CPU_TEXT},
    {"family", "cpu family", CPU_TEXT},    {"model", "model", CPU_TEXT},
    {"stepping", "stepping", CPU_INT},     {"physicalId", "physical id", CPU_TEXT},
    {"coreId", "core id", CPU_TEXT},       {"cores", "", CPU_ONE},
    {"modelName", "model name", CPU_TEXT}, {"mhz", "cpu MHz", CPU_FLOAT},
    {"cacheSize", "cache size", CPU_INT},  {"flags", "flags", CPU_WORDS},
    {"microcode", "microcode", CPU_TEXT},
};
#define CPU_FIELDS (sizeof cpu_fields / sizeof *cpu_fields)

struct cpu {
    char *values[CPU_FIELDS]; /* own copies, or NULL */
    bool any;
};

static void write_words(struct mu__json *j, const char *words)
{
    mu__json_list(j);
    for (size_t n; *(words += strspn(words, " ")) != '\0'; words += n) {
        n = strcspn(words, " ");
        mu__json_item(j);
        mu__json_str(j, (struct mu_str){words, n});
    }
    mu__json_list_end(j);
}

static void write_cpu(struct mu__json *j, struct cpu *c)
{
    mu__json_item(j);
    mu__json_object(j);
    for (size_t i = 0; i < CPU_FIELDS; i++) {
        const char *value = c->values[i] ? c->values[i] : "";
        mu__json_ckey(j, cpu_fields[i].key);
        switch (cpu_fields[i].kind) {
        case CPU_INT:
            mu__json_int(j, strtoll(value, NULL, 10));
            break;
        case CPU_TEXT:
            mu__json_cstr(j, value);
            break;
        case CPU_FLOAT:
            mu__json_float(j, strtod(value, NULL));
            break;
        case CPU_WORDS:
            write_words(j, value);
            break;
        case CPU_ONE:
            mu__json_int(j, 1);
            break;
        }
        free(c->values[i]);
    }
    mu__json_object_end(j);
    *c = (struct cpu){.any = false};
}

static void take_cpu_line(struct cpu *c, const char *key, const char *value)
{
    for (size_t i = 0; i < CPU_FIELDS; i++) {
        if (strcmp(key, cpu_fields[i].line) == 0 && !c->values[i]) {
            c->values[i] = strdup(value);
            c->any = true;
        }
    }
}

/* A paragraph for each processor. */
static void write_cpus(struct mu__json *j, struct errors *e)
{
    struct cpu cpu = {.any = false};
    char *line = NULL;
    size_t room = 0;
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f) {
        complain(e, "/proc/cpuinfo");
    }
    mu__json_list(j);
    while (f && getline(&line, &room, f) >= 0) {
        const char *value = split_line(line);
        if (value) {
            take_cpu_line(&cpu, line, value);
        } else if (cpu.any) {
            write_cpu(j, &cpu);
        }
    }
    if (cpu.any) {
        write_cpu(j, &cpu);
    }
    mu__json_list_end(j);
    free(line);
    if (f) {
        fclose(f);
    }
}

/* ---- The system ---- */

static uint64_t boot_time(struct errors *e)
{
    char line[256];
    uint64_t at = 0;
    FILE *f = fopen("/proc/stat", "re");
    if (!f) {
        complain(e, "/proc/stat");
        return 0;
    }
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "btime ", 6) == 0) {
            at = strtoull(line + 6, NULL, 10);
        }
    }
    fclose(f);
    return at;
}

static uint64_t count_processes(struct errors *e)
{
    uint64_t n = 0;
    DIR *d = opendir("/proc");
    if (!d) {
        complain(e, "/proc");
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        n += isdigit((unsigned char)entry->d_name[0]) ? 1 : 0;
    }
    closedir(d);
    return n;
}

/* A value of /etc/os-release, without quotes. */
static void os_release(const char *key, char *out, size_t size)
{
    char line[256];
    size_t len = strlen(key);
    FILE *f = fopen("/etc/os-release", "re");
    out[0] = '\0';
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, len) == 0 && line[len] == '=') {
            const char *value = line + len + 1 + (line[len + 1] == '"');
            snprintf(out, size, "%.*s", (int)strcspn(value, "\"\n"), value);
        }
    }
    if (f) {
        fclose(f);
    }
}

/* Of the machine if it has one, else of its installation. */
static void host_id(char *out, size_t size)
{
    first_line("/sys/class/dmi/id/product_uuid", out, size);
    if (!out[0]) {
        first_line("/etc/machine-id", out, size);
    }
    if (!out[0]) {
        first_line("/proc/sys/kernel/random/boot_id", out, size);
    }
    for (char *p = out; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
}

static void write_host(struct mu__json *j, struct errors *e)
{
    struct utsname u;
    char uptime[64], platform[64], family[64], version[64], id[64];
    if (uname(&u) != 0) {
        complain(e, "uname");
        memset(&u, 0, sizeof u);
    }
    first_line("/proc/uptime", uptime, sizeof uptime);
    os_release("ID", platform, sizeof platform);
    os_release("ID_LIKE", family, sizeof family);
    first_line("/etc/debian_version", version, sizeof version);
    if (strcmp(platform, "debian") != 0 || !version[0]) {
        os_release("VERSION_ID", version, sizeof version);
    }
    host_id(id, sizeof id);
    mu__json_object(j);
    put_text(j, "hostname", u.nodename);
    put_uint(j, "uptime", strtoull(uptime, NULL, 10));
    put_uint(j, "bootTime", boot_time(e));
    put_uint(j, "procs", count_processes(e));
    put_text(j, "os", "linux");
    put_text(j, "platform", platform);
    put_text(j, "platformFamily", family[0] ? family : platform);
    put_text(j, "platformVersion", version);
    put_text(j, "kernelVersion", u.release);
    put_text(j, "kernelArch", u.machine);
    put_text(j, "virtualizationSystem", "");
    put_text(j, "virtualizationRole", "");
    put_text(j, "hostid", id);
    mu__json_object_end(j);
}

/* ---- The disk ---- */

static const char *file_system_name(long magic)
{
    static const struct {
        long magic;
        const char *name;
    } names[] = {{0xef53, "ext2/ext3"}, {0x58465342, "xfs"},       {0x9123683e, "btrfs"},
                 {0x01021994, "tmpfs"}, {0x794c7630, "overlayfs"}, {0x6969, "nfs"},
                 {0x2fc12fc1, "zfs"},   {0xf2f52010, "f2fs"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].magic == magic) {
            return names[i].name;
        }
    }
    return "";
}

static void write_disk(struct mu__json *j, struct errors *e)
{
    struct statfs s;
    if (statfs("/", &s) != 0) {
        complain(e, "/");
        memset(&s, 0, sizeof s);
    }
    uint64_t block = (uint64_t)s.f_bsize, free_bytes = s.f_bavail * block;
    uint64_t used = (s.f_blocks - s.f_bfree) * block, inodes_used = s.f_files - s.f_ffree;
    mu__json_object(j);
    put_text(j, "path", "/");
    put_text(j, "fstype", file_system_name((long)s.f_type));
    put_uint(j, "total", s.f_blocks * block);
    put_uint(j, "free", free_bytes);
    put_uint(j, "used", used);
    put_percent(j, "usedPercent", used, used + free_bytes);
    put_uint(j, "inodesTotal", s.f_files);
    put_uint(j, "inodesUsed", inodes_used);
    put_uint(j, "inodesFree", s.f_ffree);
    put_percent(j, "inodesUsedPercent", inodes_used, s.f_files);
    mu__json_object_end(j);
}

void host_write_json(struct mu__json *j, int64_t now_unix_ns)
{
    struct errors e = {.len = 0};
    mu__json_object(j);
    mu__json_ckey(j, "Memory");
    write_memory(j, &e);
    mu__json_ckey(j, "CPU");
    write_cpus(j, &e);
    mu__json_ckey(j, "Host");
    write_host(j, &e);
    mu__json_ckey(j, "Disk");
    write_disk(j, &e);
    mu__json_ckey(j, "CollectionTime");
    mu__json_int(j, now_unix_ns);
    mu__json_ckey(j, "Errors");
    if (e.len == 0) {
        mu__json_null(j);
    } else {
        mu__json_list(j);
        for (size_t i = 0; i < e.len; i++) {
            mu__json_item(j);
            mu__json_cstr(j, e.text[i]);
        }
        mu__json_list_end(j);
    }
    mu__json_object_end(j);
}
