/* files.h - how many files and connections the process may have open. */
#pragma once

#include <sys/types.h>

/* As many as the system lets us: what a limit of 1024 means is for programs that use select().
 * Before there are threads. */
void files_raise_limit(void);
size_t files_limit(void); /* that holds now; 0: none */
/* Gives a process that we started the limit that we were started with. */
void files_restore_limit(pid_t pid);
