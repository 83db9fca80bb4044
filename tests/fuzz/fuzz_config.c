/* A configuration file of any bytes, HCL, JSON or YAML by its first byte: it is refused with a
 * sentence, or what it makes keeps the promises of config.h - and then the definitions in it are
 * read by the agent's tables, too. */
#include "agent/definitions.h"
#include "agent/sidecar.h"
#include "base/config.h"
#include "base/json.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct mu_str s)
{
    assert(s.p && s.p[s.len] == 0);
}

static void check_config(const struct config *c)
{
    check_text(c->datacenter);
    check_text(c->node_name);
    check_text(c->advertise_addr);
    assert(c->datacenter.len && c->node_name.len && c->advertise_addr.len);
    assert(c->leave_on_terminate == 0 || c->leave_on_terminate == 1);
    assert(c->check_output_max_size > 0);
    assert(c->ports.http == CONFIG_PORT_DISABLED ||
           (c->ports.http > 0 && c->ports.http <= UINT16_MAX));
    assert(c->ports.http != CONFIG_PORT_DISABLED || !c->http_listen.len);
    assert(c->encrypt_key_len == 0 || c->encrypt_key_len == 16 || c->encrypt_key_len == 24 ||
           c->encrypt_key_len == 32);
    for (size_t i = 1; i < c->node_meta.len; i++) {
        assert(mu__str_cmp(c->node_meta.items[i - 1].key, c->node_meta.items[i].key) < 0);
    }
}

static void read_sidecar(const struct config *config, const struct catalog_service_definition *d,
                         struct mu__arena *a)
{
    struct local l = {.config = config};
    struct catalog_service_definition sidecar;
    char err[LOCAL_ERROR_MAX] = "";
    mu__map_init(&l.services, NULL, 0);
    if (sidecar_define(&l, d, SOURCE_FILE, a, &sidecar, err, sizeof err)) {
        assert(sidecar.id.len && sidecar.name.len && sidecar.kind.len && sidecar.weights);
        assert(sidecar.port > 0 && sidecar.proxy->destination_service_id.len);
        assert(definition_checks(&sidecar, NULL, 0));
    } else {
        assert(err[0]);
    }
    mu__map_fini(&l.services);
}

static void read_definition(const struct config *config, const struct config_definition *d)
{
    struct mu__arena a;
    char err[DEFINITION_ERROR_MAX];
    mu__arena_init(&a, NULL, 1 << 20);
    if (d->is_check) {
        struct agent_check_definition c;
        memset(&c, 0, sizeof c);
        if (json_decode(&definition_check_schema, d->json.p, d->json.len, &a, &c, err,
                        sizeof err)) {
            bool ok = definition_check_check(&c, err, sizeof err);
            assert(!ok || (c.type.name.len && c.type.check_id.len));
        }
    } else {
        struct catalog_service_definition s;
        memset(&s, 0, sizeof s);
        if (json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), d->json.p, d->json.len, &a, &s,
                        err, sizeof err) &&
            definition_check_service(&s, &a, err, sizeof err) &&
            definition_tag_addresses(&s, &a, err, sizeof err)) {
            assert(s.id.len && s.name.len && s.weights && s.weights->passing > 0);
            if (sidecar_of(&s)) {
                read_sidecar(config, &s, &a);
            }
        }
    }
    mu__arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[CONFIG_ERROR_MAX] = "";
    if (!size) {
        return 0;
    }
    const char *name = data[0] & 1 ? "x.yaml" : data[0] & 2 ? "x.hcl" : "x.json";
    struct config *c = config_from_text(name, (const char *)data + 1, size - 1, err, sizeof err);
    if (!c) {
        assert(err[0]);
        return 0;
    }
    check_config(c);
    for (size_t i = 0; i < c->definitions.len; i++) {
        read_definition(c, &c->definitions.items[i]);
    }
    config_destroy(c);
    return 0;
}
