/* Mirrors base/src/blake2b.c. */
#include "mu_test.h"

#include "blake2b.h"

static const char *digest_of(const void *data, size_t len, size_t size, size_t piece)
{
    static char hex[129];
    struct mu__blake2b b;
    uint8_t out[64];
    mu__blake2b_init(&b, size);
    for (size_t at = 0; at < len; at += piece) {
        mu__blake2b_add(&b, (const uint8_t *)data + at, piece < len - at ? piece : len - at);
    }
    mu__blake2b_end(&b, out);
    for (size_t i = 0; i < size; i++) {
        snprintf(hex + 2 * i, 3, "%02x", out[i]);
    }
    return hex;
}

/* RFC 7693, appendix A */
static void test_the_digest_of_abc_is_that_of_the_rfc(void **state)
{
    (void)state;
    assert_string_equal(digest_of("abc", 3, 64, 3),
                        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

/* Lengths around blocks, in pieces of any size. */
static void test_digests_are_those_of_another_implementation(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *hex;
    } cases[] = {
        {0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
        {1, "ee155ace9c40292074cb6aff8c9ccdd273c81648ff1149ef36bcea6ebb8a3e25"},
        {127, "3b03a73c3c02e3eef11be3e2e16c12ccf6090dea00aa861ded320910892e13ac"},
        {128, "6b89237e0a469a721c700b8bbcb51b6231c48e71ff023e0e3444ec84882ae32e"},
        {129, "524a9dc9d008a9ce1d9d2a111bcd10d2461a02dadf30ec5a47225501608a87eb"},
        {255, "c00ba3c990ad9e1b4ebb2fb2127b74f642b2a888b985be208f7a65ad4db0a6fc"},
        {256, "e7001e3026924e6650fcd5b274bc3ddf556a6c7fedfe038383c0f4ad5f26cfc9"},
        {257, "080f7f2ee61cc8ffcf2ad907f7a9824a8445c5e4b194a0106c65f9b9c1ea6787"},
        {1000, "1d16566788d72e44f7c8ca9aaf73edc64bb03fc69322cb735f49974d7c9ce383"},
    };
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece <= 300; piece += 13) {
            assert_string_equal(digest_of(data, cases[i].len, 32, piece), cases[i].hex);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_digest_of_abc_is_that_of_the_rfc),
        cmocka_unit_test(test_digests_are_those_of_another_implementation),
    };
    return cmocka_run_group_tests_name("blake2b", tests, NULL, NULL);
}
