/* Mirrors src/config.c, src/error.c, src/addr.c and src/consul.c. */
#include "lone.h"

static int no_entropy(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 1, len);
    return 0;
}

static struct swim_config good(void)
{
    struct swim_config cfg;
    swim_config_init(&cfg);
    cfg.name = "a";
    cfg.advertise = lone_addr(1);
    cfg.entropy = no_entropy;
    return cfg;
}

static void assert_fault(const struct swim_config *cfg, const char *field)
{
    char why[200] = "";
    struct swim *s;
    assert_int_equal(swim_config_check(cfg, why, sizeof why), SWIM_EINVAL);
    assert_non_null(strstr(why, field));
    assert_int_equal(swim_create(cfg, 0, &s), SWIM_EINVAL);
    assert_null(s);
}

static void test_defaults_of_all_profiles_are_valid(void **state)
{
    (void)state;
    for (int p = SWIM_LAN; p <= SWIM_LOCAL; p++) {
        struct swim_config cfg = good();
        char why[200] = "";
        swim_config_profile(&cfg, (enum swim_profile)p);
        assert_int_equal(swim_config_check(&cfg, why, sizeof why), SWIM_OK);
    }
}

static void test_faults_name_the_field(void **state)
{
    (void)state;
    char long_name[300];
    struct swim_config cfg = good();
    cfg.name = NULL;
    assert_fault(&cfg, "name");
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    cfg.name = long_name;
    assert_fault(&cfg, "name");
    cfg = good();
    cfg.advertise.port = 0;
    assert_fault(&cfg, "advertise");
    cfg = good();
    cfg.entropy = NULL;
    assert_fault(&cfg, "entropy");
    cfg = good();
    cfg.probe_timeout_ns = cfg.probe_interval_ns + 1;
    assert_fault(&cfg, "probe_timeout_ns");
    cfg = good();
    cfg.gossip_nodes = 0;
    assert_fault(&cfg, "gossip_nodes");
    cfg = good();
    cfg.packet_bytes_max = 100;
    assert_fault(&cfg, "packet_bytes_max");
    cfg = good();
    struct mu_str short_key = {"short", 5};
    cfg.keys = &short_key;
    cfg.nkeys = 1;
    assert_fault(&cfg, "keys[0]");
}

static void test_config_of_an_older_caller_gets_defaults_for_the_rest(void **state)
{
    (void)state;
    struct swim_config cfg = good(), wide;
    memset((char *)&cfg + offsetof(struct swim_config, members_max), 0xee,
           sizeof cfg - offsetof(struct swim_config, members_max));
    cfg.size = offsetof(struct swim_config, members_max);
    cfg.gossip_nodes = 5;
    assert_true(swim__config_widen(&cfg, &wide));
    assert_int_equal(wide.gossip_nodes, 5);
    assert_int_equal(wide.members_max, 100000);
    assert_null(wide.admit);
}

static void test_config_of_a_newer_caller_must_not_set_what_is_unknown(void **state)
{
    (void)state;
    struct {
        struct swim_config cfg;
        uint64_t newer;
    } c;
    struct swim_config wide;
    memset(&c, 0, sizeof c);
    c.cfg = good();
    c.cfg.size = sizeof c;
    assert_true(swim__config_widen(&c.cfg, &wide));
    c.newer = 1;
    assert_false(swim__config_widen(&c.cfg, &wide));
    c.cfg.size = 3;
    assert_false(swim__config_widen(&c.cfg, &wide));
}

static void test_each_error_has_a_sentence_and_a_class(void **state)
{
    (void)state;
    for (int code = SWIM_EREMOTE; code <= SWIM_ENOMEM; code++) {
        assert_string_not_equal(swim_strerror(code), "unknown error");
        assert_int_not_equal(swim_err_class(code), MU_CLASS_FATAL);
        assert_int_not_equal(swim_err_class(code), MU_CLASS_OK);
    }
    assert_string_equal(swim_strerror(1), "unknown error");
    assert_int_equal(swim_err_class(1), MU_CLASS_FATAL);
    assert_int_equal(swim_err_class(SWIM_OK), MU_CLASS_OK);
    assert_int_equal(swim_version(), SWIM_VERSION);
}

static void test_addresses_in_text(void **state)
{
    (void)state;
    static const struct {
        struct swim_addr a;
        const char *text;
    } table[] = {
        {{.ip = {10, 0, 0, 1}, .len = 4, .port = 8301}, "10.0.0.1:8301"},
        {{.ip = {[15] = 1}, .len = 16, .port = 1}, "[::1]:1"},
        {{.len = 16, .port = 1}, "[::]:1"},
        {{.ip = {0xfe, 0x80, [15] = 1}, .len = 16, .port = 65535}, "[fe80::1]:65535"},
        {{.ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, .len = 16, .port = 80},
         "[2001:db8:0:1::1]:80"},
        {{.ip = {0x20, 1, 0, 0, 0, 1}, .len = 16, .port = 80}, "[2001:0:1::]:80"},
        {{.ip = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                 0xff, 0xff},
          .len = 16,
          .port = 65535},
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {{.len = 0}, "none"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[SWIM_ADDR_TEXT];
        assert_string_equal(swim_addr_text(&table[i].a, out), table[i].text);
    }
}

/* ---- Consul's rules ---- */

struct candidate {
    struct swim_member m;
    uint8_t meta[256];
};
static void candidate(struct candidate *c, const char *name,
                      const char *tags) /* "key=value,key=value" */
{
    char text[200];
    struct swim_tag list[16];
    size_t n = 0;
    (void)snprintf(text, sizeof text, "%s", tags);
    for (char *t = text; *t && n < 16;) {
        size_t len = strcspn(t, ","), eq = strcspn(t, "=");
        list[n++] = (struct swim_tag){{t, eq}, {t + eq + 1, len - eq - 1}};
        t += len + (t[len] ? 1 : 0);
    }
    struct mu__writer w = mu__writer_fixed(c->meta, sizeof c->meta);
    swim__wire_tags_encode(&w, list, n);
    assert_false(w.failed);
    c->m = (struct swim_member){.name = lone_str(name),
                                .status = SWIM_STATUS_ALIVE,
                                .meta = {(const char *)c->meta, w.len}};
}

static void test_lan_admits_members_of_one_datacenter_and_segment(void **state)
{
    (void)state;
    static const struct {
        const char *name, *tags;
        bool admitted;
    } table[] = {
        {"b", "role=node,dc=dc1,segment=,id=22,build=1.8.7:", true},
        {"b", "role=consul,dc=dc1,id=22,build=1.8.7:", true},
        {"b", "role=node,dc=dc2,id=22,build=1.8.7:", false},
        {"b", "role=node,dc=dc1,segment=red,id=22,build=1.8.7:", false},
        {"b", "role=web,dc=dc1,id=22,build=1.8.7:", false},
        {"b", "role=node,dc=dc1,id=11,build=1.8.7:", false}, /* our own id */
        {"b", "role=node,dc=dc1,id=11,build=0.8.4:", true},  /* too old to have meant it */
        {"a", "role=node,dc=dc1,id=11,build=1.8.7:", true},  /* that is us */
    };
    struct swim_consul_lan own = {.name = "a", .id = "11", .datacenter = "dc1"};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct candidate c;
        char why[160] = "";
        candidate(&c, table[i].name, table[i].tags);
        assert_int_equal(swim_consul_lan_admit(&own, &c.m, 1, why, sizeof why), table[i].admitted);
        assert_int_equal(strlen(why) == 0, table[i].admitted);
    }
}

static void test_lan_refuses_two_members_with_one_id(void **state)
{
    (void)state;
    struct swim_consul_lan own = {.name = "a", .id = "11", .datacenter = "dc1"};
    struct candidate b, c;
    char why[160];
    candidate(&b, "b", "role=node,dc=dc1,id=22,build=1.8.7:");
    candidate(&c, "c", "role=node,dc=dc1,id=22,build=1.8.7:");
    struct swim_member both[2] = {b.m, c.m};
    assert_false(swim_consul_lan_admit(&own, both, 2, why, sizeof why));
    both[1].status = SWIM_STATUS_LEFT; /* who left does not matter */
    assert_true(swim_consul_lan_admit(&own, both, 2, why, sizeof why));
}

static void test_wan_admits_servers_only(void **state)
{
    (void)state;
    static const struct {
        const char *tags;
        bool admitted;
    } table[] = {
        {"role=consul,dc=dc1,port=8300,vsn=2,build=1.8.7:", true},
        {"role=node,dc=dc1,port=8300,vsn=2,build=1.8.7:", false},
        {"role=consul,dc=dc1,vsn=2,build=1.8.7:", false},
        {"role=consul,dc=dc1,port=x,vsn=2,build=1.8.7:", false},
        {"role=consul,dc=dc1,port=8300,vsn=2,build=1.8", false},
        {"role=consul,dc=dc1,port=8300,vsn=2,build=v1.8.7-beta", true},
        {"role=consul,dc=dc1,port=8300,vsn=2,build=1.8.7:,expect=many", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct candidate c;
        char why[160];
        candidate(&c, "b", table[i].tags);
        assert_int_equal(swim_consul_wan_admit(NULL, &c.m, 1, why, sizeof why), table[i].admitted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_all_profiles_are_valid),
        cmocka_unit_test(test_faults_name_the_field),
        cmocka_unit_test(test_config_of_an_older_caller_gets_defaults_for_the_rest),
        cmocka_unit_test(test_config_of_a_newer_caller_must_not_set_what_is_unknown),
        cmocka_unit_test(test_each_error_has_a_sentence_and_a_class),
        cmocka_unit_test(test_addresses_in_text),
        cmocka_unit_test(test_lan_admits_members_of_one_datacenter_and_segment),
        cmocka_unit_test(test_lan_refuses_two_members_with_one_id),
        cmocka_unit_test(test_wan_admits_servers_only),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
