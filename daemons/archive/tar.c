#include "tar.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* name 0+100, mode 100+8, uid 108+8, gid 116+8, size 124+12, mtime 136+12, sum 148+8, type 156,
 * link 157+100, "ustar\0" 257, "00" 263 */
enum { MODE = 100, UID = 108, GID = 116, SIZE = 124, MTIME = 136, SUM = 148, TYPE = 156 };
enum { MAGIC = 257 };

static unsigned sum_of(const uint8_t block[TAR_BLOCK])
{
    unsigned sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += i >= SUM && i < SUM + 8 ? ' ' : block[i];
    }
    return sum;
}

static void octal(uint8_t *field, size_t width, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%0*llo", (int)width - 1, (unsigned long long)v);
    memcpy(field, text, width - 1);
}

void tar_write_header(uint8_t block[TAR_BLOCK], const char *name, uint64_t size, int64_t mtime_s)
{
    memset(block, 0, TAR_BLOCK);
    memcpy(block, name, strlen(name) < 100 ? strlen(name) : 99);
    octal(block + MODE, 8, 0600);
    octal(block + UID, 8, 0);
    octal(block + GID, 8, 0);
    octal(block + SIZE, 12, size);
    octal(block + MTIME, 12, mtime_s > 0 ? (uint64_t)mtime_s : 0);
    block[TYPE] = '0';
    memcpy(block + MAGIC,
           "ustar\0"
           "00",
           8);
    octal(block + SUM, 7, sum_of(block));
    block[SUM + 7] = ' ';
}

/* Octal digits between blanks, ended by a blank, a zero or the field. */
static bool read_octal(const uint8_t *field, size_t width, uint64_t *out)
{
    size_t i = 0;
    uint64_t v = 0;
    while (i < width && field[i] == ' ') {
        i++;
    }
    size_t first = i;
    for (; i < width && field[i] >= '0' && field[i] <= '7'; i++) {
        v = v * 8 + (uint64_t)(field[i] - '0'); /* at most 36 bits */
    }
    *out = v;
    return i > first && (i == width || field[i] == ' ' || field[i] == '\0');
}

enum tar_header tar_read_header(const uint8_t block[TAR_BLOCK], char name[101], uint64_t *size)
{
    uint64_t sum;
    size_t zeros = 0;
    while (zeros < TAR_BLOCK && block[zeros] == 0) {
        zeros++;
    }
    if (zeros == TAR_BLOCK) {
        return TAR_END;
    }
    if (memcmp(block + MAGIC, "ustar", 5) != 0 || !read_octal(block + SUM, 8, &sum) ||
        sum != sum_of(block) || !read_octal(block + SIZE, 12, size) ||
        (block[TYPE] != '0' && block[TYPE] != '\0')) {
        return TAR_BAD;
    }
    memcpy(name, block, 100);
    name[100] = '\0';
    return TAR_FILE;
}
