/* intention.h - intentions as commands show them, find them and send them: by pair, as
 * [namespace/]name. */
#pragma once

#include "arena.h"
#include "client.h"

#include <muster/catalog_intention.h>

#define INTENTION_TEXT_MAX                                                                         \
    1000u /* of a name, or a namespace with its name, that can be asked for */
#define INTENTION_NAME_MAX 2048u /* of text that is shown */
#define INTENTION_PATH_MAX 8192u /* of a path with two names, each byte escaped */

/* "web", or "ns/web" outside the default namespace. */
void intention_end(struct mu_str ns, struct mu_str name, char text[INTENTION_NAME_MAX]);
/* "web => db (allow)". */
void intention_text(const struct catalog_intention *x, char text[3 * INTENTION_NAME_MAX]);
/* The two parts of [namespace/]name, which lend text. False: there are more than two. */
bool intention_target(const char *text, struct mu_str *ns, struct mu_str *name);

/* One intention of a file or of an answer: keys in any case, others passed over; *out is cleared
 * first. What it points at is in the arena. False: why is what Go's decoder says. */
bool intention_decode(struct mu__arena *a, const char *text, size_t len,
                      struct catalog_intention *out, char *why, size_t cap);
bool intention_decode_list(struct mu__arena *a, const char *text, size_t len, struct mu_list *out,
                           char *why, size_t cap);
/* As JSON, to be given up with free. */
char *intention_encode(const struct catalog_intention *x);

/* A request to an agent, with the datacenter that is meant, if any. */
void intention_ask(const struct cli_client *c, const char *method, const char *path,
                   const char *body, struct cli_response *r);
/* Sets path to that of an intention by its id. */
void intention_path(const char *id, char path[INTENTION_PATH_MAX]);

enum intention_found { INTENTION_FOUND, INTENTION_NONE, INTENTION_FAILED };
/* The id of the intention between the two, among all that there are. INTENTION_FAILED: why says so.
 */
enum intention_found intention_find(const struct cli_client *c, const char *source,
                                    const char *destination, char id[64], char *why, size_t cap);

/* "Unexpected response code: 500 (...)", or why there was none. */
void intention_complaint(const struct cli_response *r, char *why, size_t cap);
