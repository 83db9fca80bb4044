/* file.h - whole files: written beside, synced, renamed into place; read with a bound. Errors name
 * the file. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

#define FILE_BYTES_MAX (4u << 20)

struct file_temp { /* cleared before use */
    char *path;
    const char *failed; /* what did not work, or NULL */
    int error;          /* its errno */
};

/* Writes len bytes to a new file in folder, readable by the owner alone. What goes wrong is kept
 * for the rename. */
void file_temp_write(struct file_temp *t, const char *folder, const void *data, size_t len,
                     bool durable);
/* Gives it its name, or removes it when that or the writing failed. 0, or -1 and a sentence. */
int file_temp_rename(struct file_temp *t, const char *folder, const char *name, char *err,
                     size_t errlen);
bool file_is_temp(const char *name);

int file_remove(const char *folder, const char *name, char *err, size_t errlen); /* none is fine */
int file_sync_folder(const char *folder, char *err, size_t errlen);
int file_make_folder(const char *path, char *err, size_t errlen); /* with those above it; 0755 */
/* The whole file, to be freed; NULL with a sentence and errno when it cannot be read or is longer
 * than max. */
char *file_read(const char *path, size_t max, size_t *len, char *err, size_t errlen);
