#include "notify.h"

#include "loop.h"

#include <inttypes.h>
#include <muster/mu.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Process-wide, as the environment is. */
static struct {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t len;
    uint64_t alive_ns;
} manager = {.fd = -1};

static void send_text(const char *text)
{
    if (manager.fd >= 0) {
        ssize_t n = sendto(manager.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                           (const struct sockaddr *)&manager.to, manager.len);
        (void)n; /* it is told again, or was not there */
    }
}

/* The time that the manager allows, if it means this process. */
static uint64_t read_watchdog(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end;
    if (!text || (pid && strtol(pid, NULL, 10) != (long)getpid())) {
        return 0;
    }
    unsigned long long us = strtoull(text, &end, 10);
    return *end || us > UINT64_MAX / 1000 ? 0 : us * 1000 / 2;
}

void notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    manager.fd = -1;
    if (len > 1 && (path[0] == '/' || path[0] == '@') && len < sizeof manager.to.sun_path) {
        manager.to = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(manager.to.sun_path, path, len);
        if (path[0] == '@') {
            manager.to.sun_path[0] = '\0'; /* an abstract one */
        }
        manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
        manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    manager.alive_ns = manager.fd >= 0 ? read_watchdog() : 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(void)
{
    if (manager.fd >= 0) {
        close(manager.fd);
        manager.fd = -1;
    }
}

void notify_ready(void)
{
    send_text("READY=1");
}

void notify_reloading(void)
{
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, loop_now_ns() / MU_USEC);
    send_text(text);
}

void notify_stopping(void)
{
    send_text("STOPPING=1");
}

uint64_t notify_alive_interval_ns(void)
{
    return manager.alive_ns;
}

void notify_alive(void)
{
    send_text("WATCHDOG=1");
}
