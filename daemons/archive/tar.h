/* tar.h - the headers of a tar file (POSIX ustar), as far as archives need them: plain files with
 * short names. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512u

/* name is at most 99 bytes. */
void tar_write_header(uint8_t block[TAR_BLOCK], const char *name, uint64_t size, int64_t mtime_s);

enum tar_header { TAR_FILE, TAR_END, TAR_BAD };
/* TAR_END: a block of zeros. name is set for files. */
enum tar_header tar_read_header(const uint8_t block[TAR_BLOCK], char name[101], uint64_t *size);

/* Bytes behind a file of that size, up to the next block. */
static inline size_t tar_padding(uint64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
