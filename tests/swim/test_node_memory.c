/* Running out of memory: the allocations of a scenario are counted, then each in turn fails.
 * Nothing may leak (the sanitizer sees to that), and what fails says so. */
#include "node_kit.h"
#include "scarce.h"

#include "envelope.h"

#include <unistd.h>

/* Runs the scenario with 0, 1, 2 ... allocations until it has enough. */
static void starve(void (*scenario)(struct scarce *s))
{
    enum { ENOUGH = 100000 };
    for (size_t n = 0; n < ENOUGH; n++) {
        struct scarce s = {.left = n};
        scenario(&s);
        if (!s.ran_out) {
            return;
        }
    }
    fail_msg("the scenario never has enough");
}

/* ---- codec ---- */

static void seal_and_open(struct scarce *s)
{
    static const uint8_t nonce[SWIM__NONCE_LEN] = {1};
    struct mu_allocator a = scarce_allocator(s);
    struct swim__envelope e = {.verify_incoming = true, .verify_outgoing = true, .compress = true};
    const struct mu_str key = {"0123456789abcdef", 16};
    const struct mu_str msg = {"\x08 a message, a message, a message, a message", 45};
    const struct mu_str msgs[] = {msg, msg};
    const struct swim__packet_options options = {.with_crc = true, .nonce = nonce};
    struct mu__writer w = mu__writer_growing(&a);
    struct mu__arena scratch;
    struct swim__opener o;
    struct mu_str got;
    mu__arena_init(&scratch, &a, 1 << 20);
    e.keyring = swim__keyring_create(&a);
    if (e.keyring && swim__keyring_add(e.keyring, key) == SWIM__KEYRING_OK) {
        if (swim__packet_seal(&e, &options, msgs, 2, &a, &w)) {
            enum swim__open_result rc = swim__packet_open(&o, &e, &scratch, w.data, w.len);
            size_t n = 0;
            while (rc == SWIM__OPEN_OK && swim__packet_next(&o, &got)) {
                n++;
            }
            assert_true(n == 2 || s->ran_out);
        } else {
            assert_true(s->ran_out);
        }
    }
    swim__keyring_destroy(e.keyring);
    mu__writer_fini(&w);
    mu__arena_fini(&scratch);
}

static void test_the_codec_survives_any_failing_allocation(void **state)
{
    (void)state;
    starve(seal_and_open);
}

/* ---- node ---- */

static char snapshot_path[64], keyring_path[64];

static void note_join(void *user, size_t joined, const char *error)
{
    (void)joined;
    (void)error;
    ++*(unsigned *)user;
}

static void note_answer(void *user, const struct swim_node_answer *answer)
{
    *(unsigned *)user += answer->kind == SWIM_NODE_DONE;
}

static void note_keys(void *user, int err, const struct swim_key_result *result)
{
    (void)err;
    (void)result;
    ++*(unsigned *)user;
}

/* Asks for a query and for a new key; how many of them are under way. */
static unsigned ask_both(struct swim_node *n, unsigned *told)
{
    struct swim_question q;
    swim_question_init(&q);
    q.name = (struct mu_str){"q", 1};
    q.want_acks = true;
    unsigned asked = swim_node_ask(n, &q, note_answer, told, NULL) == SWIM_OK;
    return asked + (swim_node_change_keys(n, SWIM_KEY_INSTALL, "EBESExQVFhcYGRobHB0eHw==", 0,
                                          note_keys, told) == SWIM_OK);
}

static void live_and_die(struct scarce *s)
{
    struct pool p;
    struct swim_node_config cfg;
    struct swim_node *n;
    struct mu_allocator a = scarce_allocator(s);
    const char *key = "AAECAwQFBgcICQoLDA0ODw==";
    unsigned told = 0, asked = 0;
    pool_open(&p);
    pool_config(&p, &cfg, "a");
    cfg.swim.allocator = &a;
    cfg.snapshot_path = snapshot_path;
    cfg.keyring_path = keyring_path;
    cfg.keys_base64 = &key;
    cfg.nkeys_base64 = 1;
    int rc = swim_node_create(&cfg, NULL, 0, &n);
    assert_int_equal(rc == SWIM_OK, n != NULL);
    assert_true(rc == SWIM_OK || s->ran_out);
    if (n) {
        const char *list[] = {"127.0.0.1:1", "no[where", "127.0.0.1"};
        asked += swim_node_join(n, list, 3, note_join, &told) == SWIM_OK;
        asked += ask_both(n, &told);
        swim_node_leave(n, NULL, NULL);
        for (int i = 0; i < 5; i++) {
            event_base_loop(p.base, EVLOOP_NONBLOCK);
        }
        swim_node_destroy(n);
    }
    assert_int_equal(told, asked);
    unlink(snapshot_path);
    unlink(keyring_path);
    pool_close(&p);
}

static void test_a_node_survives_any_failing_allocation(void **state)
{
    (void)state;
    char dir[] = "/tmp/muster-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    snprintf(snapshot_path, sizeof snapshot_path, "%s/snapshot", dir);
    snprintf(keyring_path, sizeof keyring_path, "%s/keyring", dir);
    starve(live_and_die);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_codec_survives_any_failing_allocation),
        cmocka_unit_test(test_a_node_survives_any_failing_allocation),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
