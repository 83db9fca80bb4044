/* Mirrors src/message.c. */
#include "mu_test.h"

#include <muster/raft.h>

static const struct raft_entry ENTRIES[] = {
    {.index = 8, .term = 3, .type = RAFT_ENTRY_NORMAL, .data = "one", .len = 3},
    {.index = 9, .term = 4, .type = RAFT_ENTRY_NOOP},
    {.index = 10, .term = 4, .type = RAFT_ENTRY_CONFIG, .data = "conf", .len = 4},
};

static struct raft_message sample(enum raft_message_type type)
{
    struct raft_message m = {.type = type,
                             .from = "server-a",
                             .to = "server-b",
                             .from_address = "10.0.0.1:8300",
                             .to_address = "",
                             .term = 7,
                             .stamp = 123456789,
                             .reject = true,
                             .transferring = type == RAFT_MSG_APPEND,
                             .last = type == RAFT_MSG_SNAPSHOT};
    switch (type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        m.log_index = 55;
        m.log_term = 6;
        m.transfer = 99;
        break;
    case RAFT_MSG_APPEND:
        m.log_index = 7;
        m.log_term = 3;
        m.commit = 6;
        m.entries = ENTRIES;
        m.n_entries = 3;
        break;
    case RAFT_MSG_APPEND_REPLY:
        m.log_index = 7;
        m.hint_index = 5;
        m.hint_term = 2;
        break;
    case RAFT_MSG_HEARTBEAT:
        m.commit = 12;
        break;
    case RAFT_MSG_HEARTBEAT_REPLY:
        m.log_index = 9;
        m.hint_index = 8;
        break;
    case RAFT_MSG_SNAPSHOT:
        m.snapshot = (struct raft_snapshot_meta){100, 5, 90, "config", 6};
        m.offset = 4096;
        m.prefix_hash = 0x1122334455667788;
        m.hash = 0x99aabbccddeeff00;
        m.data = "chunk";
        m.len = 5;
        break;
    case RAFT_MSG_SNAPSHOT_REPLY:
        m.snapshot.index = 100;
        m.snapshot.term = 5;
        m.offset = 4101;
        break;
    default:
        break;
    }
    return m;
}

static void assert_same(const struct raft_message *a, const struct raft_message *b)
{
    assert_int_equal(a->type, b->type);
    assert_string_equal(a->from, b->from);
    assert_string_equal(a->to, b->to);
    assert_string_equal(a->from_address, b->from_address);
    assert_int_equal(a->term, b->term);
    assert_int_equal(a->stamp, b->stamp);
    assert_int_equal(a->log_index, b->log_index);
    assert_int_equal(a->log_term, b->log_term);
    assert_int_equal(a->commit, b->commit);
    assert_int_equal(a->hint_index, b->hint_index);
    assert_int_equal(a->hint_term, b->hint_term);
    assert_int_equal(a->transfer, b->transfer);
    assert_int_equal(a->reject, b->reject);
    assert_int_equal(a->transferring, b->transferring);
    assert_int_equal(a->last, b->last);
    assert_int_equal(a->offset, b->offset);
    assert_true(a->prefix_hash == b->prefix_hash && a->hash == b->hash);
    assert_int_equal(a->snapshot.index, b->snapshot.index);
    assert_int_equal(a->snapshot.configuration_len, b->snapshot.configuration_len);
    assert_int_equal(a->len, b->len);
    assert_true(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
    assert_int_equal(a->n_entries, b->n_entries);
    for (size_t i = 0; i < a->n_entries; i++) {
        assert_int_equal(a->entries[i].index, b->entries[i].index);
        assert_int_equal(a->entries[i].type, b->entries[i].type);
        assert_int_equal(a->entries[i].len, b->entries[i].len);
        assert_true(a->entries[i].len == 0 ||
                    memcmp(a->entries[i].data, b->entries[i].data, a->entries[i].len) == 0);
    }
}

static void test_each_message_survives_the_wire(void **state)
{
    (void)state;
    for (int type = RAFT_MSG_PREVOTE; type <= RAFT_MSG_TIMEOUT_NOW; type++) {
        struct raft_message m = sample((enum raft_message_type)type), out;
        struct raft_entry entries[8];
        uint8_t buf[1000];
        size_t len = 0, need = 0;
        assert_int_equal(raft_message_encode(&m, NULL, 0, &need), RAFT_ENOBUFS);
        assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_OK);
        assert_int_equal(len, need);
        assert_int_equal(raft_message_decode(buf, len, entries, 8, &out), RAFT_OK);
        assert_same(&m, &out);
        assert_string_equal(out.to_address, "");
    }
}

static void test_truncated_or_longer_messages_are_refused(void **state)
{
    (void)state;
    for (int type = RAFT_MSG_PREVOTE; type <= RAFT_MSG_TIMEOUT_NOW; type++) {
        struct raft_message m = sample((enum raft_message_type)type), out;
        struct raft_entry entries[8];
        uint8_t buf[1000] = {0};
        size_t len = 0;
        assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_OK);
        for (size_t n = 0; n < len; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            assert_non_null(exact);
            memcpy(exact, buf, n);
            assert_int_equal(raft_message_decode(exact, n, entries, 8, &out), RAFT_EPROTO);
            free(exact);
        }
        assert_int_equal(raft_message_decode(buf, len + 1, entries, 8, &out), RAFT_EPROTO);
    }
}

static void test_lying_lengths_and_counts_are_refused(void **state)
{
    (void)state;
    struct raft_message m = sample(RAFT_MSG_APPEND), out;
    struct raft_entry entries[8];
    uint8_t buf[1000], bad[1000];
    size_t len = 0;
    assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_OK);
    for (size_t at = 0; at + 4 <= len; at++) {
        memcpy(bad, buf, len);
        memset(bad + at, 0xff, 4);
        int rc = raft_message_decode(bad, len, entries, 8, &out); /* reads nothing beyond the end */
        assert_true(rc == RAFT_OK || rc == RAFT_EPROTO || (rc == RAFT_EVERSION && at == 0));
    }
    assert_int_equal(raft_message_decode(buf, len, entries, 2, &out), RAFT_ENOBUFS);
}

static void test_a_message_of_another_version_is_told_apart(void **state)
{
    (void)state;
    struct raft_message m = sample(RAFT_MSG_HEARTBEAT), out;
    uint8_t buf[1000];
    size_t len = 0;
    assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_OK);
    for (unsigned version = 0; version < 256; version++) {
        uint8_t ours = buf[0];
        buf[0] = (uint8_t)version;
        assert_int_equal(raft_message_decode(buf, len, NULL, 0, &out),
                         version == ours ? RAFT_OK : RAFT_EVERSION);
        buf[0] = ours;
    }
    assert_int_equal(raft_err_class(RAFT_EVERSION), MU_CLASS_PEER);
}

static void test_a_message_that_cannot_be_read_is_not_written(void **state)
{
    (void)state;
    char id[RAFT_ID_MAX + 2];
    memset(id, 'x', sizeof id);
    id[RAFT_ID_MAX + 1] = 0;
    struct raft_message m = sample(RAFT_MSG_HEARTBEAT);
    uint8_t buf[1000];
    size_t len = 0;
    m.to = id;
    assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_EINVAL);
    m.to = "";
    assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_EINVAL);
    m = sample(RAFT_MSG_APPEND);
    m.n_entries = RAFT_MESSAGE_ENTRIES_MAX + 1;
    assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_EINVAL);
    m = sample(RAFT_MSG_APPEND);
    m.log_index++; /* the entries do not follow it */
    assert_int_equal(raft_message_encode(&m, buf, sizeof buf, &len), RAFT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_survives_the_wire),
        cmocka_unit_test(test_truncated_or_longer_messages_are_refused),
        cmocka_unit_test(test_lying_lengths_and_counts_are_refused),
        cmocka_unit_test(test_a_message_of_another_version_is_told_apart),
        cmocka_unit_test(test_a_message_that_cannot_be_read_is_not_written),
    };
    return cmocka_run_group_tests_name("raft message", tests, NULL, NULL);
}
