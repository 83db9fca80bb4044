/* Services and checks of configuration files, read by the same tables as the API's. */
#include "agent/agent_internal.h"

#include "agent/definitions.h"
#include "agent/sidecar.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

/* `json: unknown field "x"` becomes what Consul says of a file: `invalid config key service.x`. */
static void explain(const struct config_definition *d, const char *why, char *err, size_t errlen)
{
    static const char unknown[] = "json: unknown field \"";
    size_t n = sizeof unknown - 1;
    if (!strncmp(why, unknown, n)) {
        snprintf(err, errlen,
                 "failed to parse %s: 1 error occurred:\n\t* invalid config key %s.%.*s\n\n",
                 d->source.p, d->key.p, (int)strcspn(why + n, "\""), why + n);
    } else {
        snprintf(err, errlen, "failed to parse %s: %s: %s", d->source.p, d->key.p, why);
    }
}

/* How far to go with a definition. */
enum depth {
    DECODE,   /* are its keys and types right? */
    VALIDATE, /* could it be registered? */
    REGISTER
};

static bool read_service(struct local *l, enum depth depth, const struct config_definition *d,
                         struct mu__arena *a, char *err, size_t errlen)
{
    struct catalog_service_definition s = {.port = 0};
    char why[LOCAL_ERROR_MAX];
    if (!json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), d->json.p, d->json.len, a, &s, why,
                     sizeof why)) {
        explain(d, why, err, errlen);
        return false;
    }
    if (depth == DECODE) {
        return true;
    }
    if (!definition_check_service(&s, a, why, sizeof why)) {
        snprintf(err, errlen, "Failed to register service \"%.*s\": %s", (int)s.name.len,
                 s.name.p ? s.name.p : "", why);
        return false;
    }
    if (sidecar_of(&s) && !sidecar_check(&s, SOURCE_FILE, err, errlen)) {
        return false;
    }
    return depth == VALIDATE ||
           local_add_service(l, &s, mu__cstr(""), true, SOURCE_FILE, err, errlen);
}

static bool read_check(struct local *l, enum depth depth, const struct config_definition *d,
                       struct mu__arena *a, char *err, size_t errlen)
{
    struct agent_check_definition c = {.token = {NULL, 0}};
    char why[LOCAL_ERROR_MAX];
    if (!json_decode(&definition_check_schema, d->json.p, d->json.len, a, &c, why, sizeof why)) {
        explain(d, why, err, errlen);
        return false;
    }
    if (depth == DECODE) {
        return true;
    }
    if (!definition_check_check(&c, why, sizeof why) ||
        (depth == REGISTER &&
         !local_add_check(l, &c, mu__cstr(""), SOURCE_FILE, why, sizeof why))) {
        snprintf(err, errlen, "Failed to register check \"%.*s\": %s", (int)c.type.name.len,
                 c.type.name.p ? c.type.name.p : "", why);
        return false;
    }
    return true;
}

/* Services first: a check may belong to one of another file. */
static bool read_all(struct local *l, enum depth depth, const struct config *config, char *err,
                     size_t errlen)
{
    struct mu__arena a;
    bool ok = true;
    mu__arena_init(&a, NULL, 0);
    for (int checks = 0; checks < 2; checks++) {
        for (size_t i = 0; i < config->definitions.len && ok; i++) {
            const struct config_definition *d = &config->definitions.items[i];
            if (d->is_check == (checks == 1)) {
                ok = checks ? read_check(l, depth, d, &a, err, errlen)
                            : read_service(l, depth, d, &a, err, errlen);
                mu__arena_reset(&a);
            }
        }
    }
    mu__arena_fini(&a);
    return ok;
}

bool agent__register_files(struct local *l, const struct config *config, char *err, size_t errlen)
{
    return read_all(l, REGISTER, config, err, errlen);
}

bool agent__check_files(const struct config *config, char *err, size_t errlen)
{
    return read_all(NULL, VALIDATE, config, err, errlen);
}

bool definitions_decode_files(const struct config *config, char *err, size_t errlen)
{
    return read_all(NULL, DECODE, config, err, errlen);
}
