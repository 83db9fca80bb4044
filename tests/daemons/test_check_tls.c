/* Mirrors daemons/agent/check_tls*.c and check_channel.c: HTTPS checks of a server on a thread of
 * its own, whose certificates are made here. */
#include "check_kit.h"

#include <fcntl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define HANG_MS   10000 /* a test that waits as long has failed */
#define LONG_BODY ((size_t)12 << 20)

/* ---- Certificates ---- */

struct identity {
    char cert_file[64], key_file[64];
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
};

struct fixture {
    struct world *w;
    char folder[40];
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    struct identity server, other;
};

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

/* For 127.0.0.1 and good.test (RFC 5280 4.2.1.6). */
static const unsigned char names[] = {0x30, 0x11, 0x87, 4,   127, 0,   0,   1,   0x82, 9,
                                      'g',  'o',  'o',  'd', '.', 't', 'e', 's', 't'};

static void make_identity(struct fixture *f, struct identity *id, const char *name,
                          const char *not_after)
{
    mbedtls_x509write_cert w;
    mbedtls_mpi serial;
    unsigned char pem[4096];
    snprintf(id->cert_file, sizeof id->cert_file, "%s/%s.crt", f->folder, name);
    snprintf(id->key_file, sizeof id->key_file, "%s/%s.key", f->folder, name);
    mbedtls_pk_init(&id->key);
    mbedtls_x509_crt_init(&id->cert);
    mbedtls_x509write_crt_init(&w);
    mbedtls_mpi_init(&serial);
    assert_int_equal(mbedtls_pk_setup(&id->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(id->key),
                                         mbedtls_ctr_drbg_random, &f->rng),
                     0);
    assert_int_equal(mbedtls_mpi_lset(&serial, 1), 0);
#if MBEDTLS_VERSION_MAJOR < 3
    assert_int_equal(mbedtls_x509write_crt_set_serial(&w, &serial), 0);
#else
    unsigned char one = 1;
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&w, &one, 1), 0);
#endif
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, &id->key);
    mbedtls_x509write_crt_set_issuer_key(&w, &id->key);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, "CN=check"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, "CN=check"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(&w, "20200101000000", not_after), 0);
    assert_int_equal(
        mbedtls_x509write_crt_set_extension(&w, "\x55\x1d\x11", 3, 0, names, sizeof names), 0);
    assert_int_equal(
        mbedtls_x509write_crt_pem(&w, pem, sizeof pem, mbedtls_ctr_drbg_random, &f->rng), 0);
    write_file(id->cert_file, pem, strlen((char *)pem));
    assert_int_equal(mbedtls_x509_crt_parse(&id->cert, pem, strlen((char *)pem) + 1), 0);
    assert_int_equal(mbedtls_pk_write_key_pem(&id->key, pem, sizeof pem), 0);
    write_file(id->key_file, pem, strlen((char *)pem));
    mbedtls_mpi_free(&serial);
    mbedtls_x509write_crt_free(&w);
}

static void free_identity(struct identity *id)
{
    unlink(id->cert_file);
    unlink(id->key_file);
    mbedtls_x509_crt_free(&id->cert);
    mbedtls_pk_free(&id->key);
}

/* ---- A server that answers one connection ---- */

struct tls_server {
    struct fixture *f;
    const struct identity *identity;
    const mbedtls_x509_crt *clients; /* whom to ask for a certificate; NULL: nobody */
    size_t body;                     /* bytes after "hello" */
    size_t expects;                  /* bytes of the request's body, which is of digits */
    bool stalls;                     /* reads nothing until `released` is closed */
    int released[2];                 /* a pipe */
    bool pleased;                    /* the body was right */
    mbedtls_net_context listener;
    mbedtls_ctr_drbg_context rng;
    pthread_t thread;
    uint16_t port;
};

/* The i-th byte of a request's body. */
static char digit(size_t i)
{
    return (char)('0' + i / 7 % 10);
}

static bool read_body(const struct tls_server *s, mbedtls_ssl_context *ssl)
{
    unsigned char piece[4096];
    size_t at = 0, ends = 0; /* of the four bytes that end the headers */
    while (at < s->expects) {
        int n = mbedtls_ssl_read(ssl, piece, sizeof piece);
        if (n <= 0) {
            return false;
        }
        for (int i = 0; i < n; i++) {
            if (ends < 4) {
                ends = piece[i] == "\r\n\r\n"[ends] ? ends + 1 : piece[i] == '\r';
            } else if ((char)piece[i] != digit(at++)) {
                return false;
            }
        }
    }
    return true;
}

static void answer(struct tls_server *s, mbedtls_ssl_context *ssl)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\nhello";
    unsigned char request[2048];
    char piece[4096];
    if (s->expects) {
        s->pleased = read_body(s, ssl);
    }
    if ((!s->expects && mbedtls_ssl_read(ssl, request, sizeof request) <= 0) ||
        mbedtls_ssl_write(ssl, (const unsigned char *)head, sizeof head - 1) <= 0) {
        return;
    }
    memset(piece, 'x', sizeof piece);
    for (size_t left = s->body; left;) {
        size_t n = mu__min(left, sizeof piece);
        int sent = mbedtls_ssl_write(ssl, (const unsigned char *)piece, n);
        if (sent <= 0) {
            return;
        }
        left -= (size_t)sent;
    }
    mbedtls_ssl_close_notify(ssl);
}

static int fd_of(const mbedtls_net_context *c)
{
#if MBEDTLS_VERSION_MAJOR < 3
    return c->fd;
#else
    return c->MBEDTLS_PRIVATE(fd);
#endif
}

static void *serve(void *arg)
{
    struct tls_server *s = arg;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_net_context client;
    union {
        const mbedtls_x509_crt *lent;
        mbedtls_x509_crt *given; /* mbedTLS does not write */
    } own = {.lent = &s->identity->cert}, clients = {.lent = s->clients};
    union {
        const mbedtls_pk_context *lent;
        mbedtls_pk_context *given;
    } key = {.lent = &s->identity->key};
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&client);
    mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &s->rng);
    mbedtls_ssl_conf_own_cert(&config, own.given, key.given);
    if (s->clients) {
        mbedtls_ssl_conf_ca_chain(&config, clients.given, NULL);
        mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
    if (!mbedtls_ssl_setup(&ssl, &config) &&
        !mbedtls_net_accept(&s->listener, &client, NULL, 0, NULL)) {
        mbedtls_ssl_set_bio(&ssl, &client, mbedtls_net_send, mbedtls_net_recv, NULL);
        bool greeted = !mbedtls_ssl_handshake(&ssl);
        if (greeted && s->stalls) {
            char none;
            (void)!read(s->released[0], &none, 1);
        } else if (greeted) {
            answer(s, &ssl);
        }
    }
    mbedtls_net_free(&client);
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
    return NULL;
}

static void start_server(struct tls_server *s)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    mbedtls_ctr_drbg_init(&s->rng);
    assert_int_equal(mbedtls_ctr_drbg_seed(&s->rng, mbedtls_entropy_func, &s->f->entropy, NULL, 0),
                     0);
    mbedtls_net_init(&s->listener);
    assert_int_equal(mbedtls_net_bind(&s->listener, "127.0.0.1", "0", MBEDTLS_NET_PROTO_TCP), 0);
    getsockname(fd_of(&s->listener), (struct sockaddr *)&in, &len);
    s->port = ntohs(in.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop_server(struct tls_server *s)
{
    pthread_join(s->thread, NULL);
    mbedtls_net_free(&s->listener);
    mbedtls_ctr_drbg_free(&s->rng);
}

/* One check of one connection; host: as in the URL. */
static void check_once(struct tls_server *s, const char *host, bool skip_verify)
{
    struct world *w = s->f->w;
    char url[64];
    start_server(s);
    snprintf(url, sizeof url, "https://%s:%u/x", host, s->port);
    kit_run_once(w, &(struct catalog_check_type){.http = mu__cstr(url),
                                                 .tls_skip_verify = skip_verify,
                                                 .interval_ns = (int64_t)MU_SEC});
    check_world_fini(&w->checks); /* other options the next time */
    stop_server(s);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    void *w;
    if (kit_setup(&w)) {
        return -1;
    }
    f->w = w;
    strcpy(f->folder, "/tmp/muster-test-tls-XXXXXX");
    if (!mkdtemp(f->folder)) {
        return -1;
    }
    mbedtls_entropy_init(&f->entropy);
    mbedtls_ctr_drbg_init(&f->rng);
    if (mbedtls_ctr_drbg_seed(&f->rng, mbedtls_entropy_func, &f->entropy, NULL, 0)) {
        return -1;
    }
    make_identity(f, &f->server, "server", "21200101000000");
    make_identity(f, &f->other, "other", "21200101000000");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *w = f->w;
    free_identity(&f->server);
    free_identity(&f->other);
    mbedtls_ctr_drbg_free(&f->rng);
    mbedtls_entropy_free(&f->entropy);
    rmdir(f->folder);
    free(f);
    return kit_teardown(&w);
}

/* ---- Tests ---- */

static void assert_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    if (n < m || strcmp(text + n - m, end) != 0) {
        fail_msg("\"%s\" does not end with \"%s\"", text, end);
    }
}

static void test_a_certificate_counts_only_if_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct tls_server s = {.f = f, .identity = &f->server};
    check_once(&s, "127.0.0.1", true);
    assert_int_equal(f->w->status, CHECK_PASSING);
    assert_ends_with(f->w->output, "/x: 200 OK Output: hello");
    f->w->checks.tls_options.ca_file = f->other.cert_file;
    check_once(&s, "127.0.0.1", false);
    assert_int_equal(f->w->status, CHECK_CRITICAL);
    assert_ends_with(f->w->output, "/x\": x509: certificate signed by unknown authority");
    f->w->checks.tls_options.ca_file = f->server.cert_file;
    check_once(&s, "127.0.0.1", false);
    assert_int_equal(f->w->status, CHECK_PASSING);
}

static void test_the_certificate_has_to_be_of_who_was_asked(void **state)
{
    struct fixture *f = *state;
    struct tls_server s = {.f = f, .identity = &f->server};
    f->w->checks.tls_options.ca_file = f->server.cert_file;
    check_once(&s, "localhost", false);
    assert_int_equal(f->w->status, CHECK_CRITICAL);
    assert_ends_with(f->w->output, "x509: certificate is valid for good.test, not localhost");
    f->w->checks.tls_options.server_name = "good.test";
    check_once(&s, "localhost", false);
    assert_int_equal(f->w->status, CHECK_PASSING);
    f->w->checks.tls_options.server_name = "other.test";
    check_once(&s, "127.0.0.1", false);
    assert_ends_with(f->w->output, "x509: certificate is valid for good.test, not other.test");
}

static void test_an_expired_certificate_is_named_so(void **state)
{
    struct fixture *f = *state;
    struct identity old;
    make_identity(f, &old, "old", "20210101000000");
    struct tls_server s = {.f = f, .identity = &old};
    f->w->checks.tls_options.ca_file = old.cert_file;
    check_once(&s, "127.0.0.1", false);
    assert_ends_with(f->w->output, "x509: certificate has expired or is not yet valid");
    free_identity(&old);
}

static void test_a_client_certificate_is_shown_to_who_asks(void **state)
{
    struct fixture *f = *state;
    struct tls_server s = {.f = f, .identity = &f->server, .clients = &f->other.cert};
    check_once(&s, "127.0.0.1", true);
    assert_int_equal(f->w->status, CHECK_CRITICAL);
    f->w->checks.tls_options.cert_file = f->other.cert_file;
    f->w->checks.tls_options.key_file = f->other.key_file;
    check_once(&s, "127.0.0.1", true);
    assert_int_equal(f->w->status, CHECK_PASSING);
    f->w->checks.tls_options.key_file = "/nonexistent";
    check_once(&s, "127.0.0.1", true);
    assert_non_null(strstr(f->w->output, "cannot read /nonexistent: "));
}

static void test_a_long_body_passes_through_and_its_end_is_kept(void **state)
{
    struct fixture *f = *state;
    struct tls_server s = {.f = f, .identity = &f->server, .body = 3 << 20};
    check_once(&s, "127.0.0.1", true);
    assert_int_equal(f->w->status, CHECK_PASSING);
    assert_ends_with(f->w->output, "xxxxxxxx");
    assert_true(strlen(f->w->output) < 4096 + 128);
}

/* Long enough for every buffer on the way to be full. The server has been started. */
static void post_long_body(struct tls_server *s, int64_t timeout_ns)
{
    char url[64], *body = malloc(LONG_BODY);
    assert_non_null(body);
    for (size_t i = 0; i < LONG_BODY; i++) {
        body[i] = digit(i);
    }
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", s->port);
    kit_run_once(s->f->w, &(struct catalog_check_type){.http = mu__cstr(url),
                                                       .method = mu__cstr("POST"),
                                                       .body = {body, LONG_BODY},
                                                       .tls_skip_verify = true,
                                                       .timeout_ns = timeout_ns,
                                                       .interval_ns = (int64_t)MU_SEC});
    free(body);
}

static void test_a_long_request_arrives_as_it_is(void **state)
{
    struct tls_server s = {.f = *state, .expects = LONG_BODY};
    s.identity = &s.f->server;
    start_server(&s);
    post_long_body(&s, HANG_MS * (int64_t)MU_MSEC);
    stop_server(&s);
    assert_true(s.pleased);
    assert_int_equal(s.f->w->status, CHECK_PASSING);
}

static size_t count_descriptors(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void test_a_peer_that_takes_nothing_is_left_when_time_is_up(void **state)
{
    struct tls_server s = {.f = *state, .stalls = true};
    struct check_world *checks = &s.f->w->checks;
    s.identity = &s.f->server;
    assert_int_equal(pipe(s.released), 0);
    assert_non_null(check__world_tls(checks));
    assert_non_null(check__dns(checks));
    start_server(&s);
    size_t before = count_descriptors();
    post_long_body(&s, 700 * (int64_t)MU_MSEC);
    /* The server's end stays; the thread closes the other one when it comes to it */
    for (int i = 0; i < HANG_MS && count_descriptors() > before + 1; i++) {
        poll(NULL, 0, 1);
    }
    size_t after = count_descriptors();
    close(s.released[1]);
    stop_server(&s);
    close(s.released[0]);
    assert_int_equal(after, before + 1);
    assert_int_equal(s.f->w->status, CHECK_CRITICAL);
}

static void run_against(struct fixture *f, struct server *s)
{
    char url[64];
    kit_listen(f->w, s);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", s->port);
    kit_run_once(f->w, &(struct catalog_check_type){.http = mu__cstr(url),
                                                    .tls_skip_verify = true,
                                                    .timeout_ns = 200 * (int64_t)MU_MSEC,
                                                    .interval_ns = (int64_t)MU_SEC});
    evconnlistener_free(s->listener);
    check_world_fini(&f->w->checks);
    event_base_loop(f->w->base, EVLOOP_NONBLOCK);
}

static void test_peers_that_speak_no_tls_are_critical(void **state)
{
    struct fixture *f = *state;
    struct server plain = {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n", .stays = true},
                  mute = {.silent = true};
    run_against(f, &plain);
    assert_ends_with(f->w->output, "tls: first record does not look like a TLS handshake");
    run_against(f, &mute);
    assert_ends_with(f->w->output, "(Client.Timeout exceeded while awaiting headers)");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_certificate_counts_only_if_that_is_asked_for),
        TEST(test_the_certificate_has_to_be_of_who_was_asked),
        TEST(test_an_expired_certificate_is_named_so),
        TEST(test_a_client_certificate_is_shown_to_who_asks),
        TEST(test_a_long_body_passes_through_and_its_end_is_kept),
        TEST(test_a_long_request_arrives_as_it_is),
        TEST(test_a_peer_that_takes_nothing_is_left_when_time_is_up),
        TEST(test_peers_that_speak_no_tls_are_critical),
    };
    return cmocka_run_group_tests_name("check_tls", tests, NULL, NULL);
}
