/* notify.h - tells the service manager how the process is doing (sd_notify(3), without its
 * library). Main thread; does nothing where nobody listens. */
#pragma once

#include <stdint.h>

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the environment, which programs that
 * are started here inherit. Before there are threads. */
void notify_open(void);
void notify_close(void);

void notify_ready(void);
void notify_reloading(void); /* notify_ready says when that is over */
void notify_stopping(void);
/* How often notify_alive must be called, at most; 0: nobody minds. */
uint64_t notify_alive_interval_ns(void);
void notify_alive(void);
