/* file.h - a file that a command was given, read whole. */
#pragma once

#include <stddef.h>

#define CLI_FILE_MAX (1u << 20) /* what a server takes */

/* Everything in the file, with a zero behind it, to be given up with free; "-" is standard input.
 * NULL: why says what is wrong, as Go does ("open x: no such file or directory"). */
char *cli_read_file(const char *path, size_t *len, char *why, size_t cap);
