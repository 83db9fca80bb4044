/* echo_client.c - talks to echo_server over mTLS, and to nobody who is not the service it expects.
 *
 *     echo_client 127.0.0.1:8500 api web 7000 3       three connections, a line each
 *     echo_client 127.0.0.1:8500 api web 7000 hold    one, until the other side ends it
 *     echo_client 127.0.0.1:8500 api web 7000 stream  new ones until its input ends
 *
 * As service api, to whoever is web on a port of loopback. 0: all went well. */
#include <muster/ca_identity.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

/* A line there and back. */
static bool exchange(mbedtls_ssl_context *ssl)
{
    static const unsigned char line[] = "hello\n";
    unsigned char back[sizeof line - 1];
    size_t got = 0;
    if (mbedtls_ssl_write(ssl, line, sizeof back) != (int)sizeof back) {
        return false;
    }
    while (got < sizeof back) {
        int n = mbedtls_ssl_read(ssl, back + got, sizeof back - got);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return memcmp(line, back, sizeof back) == 0;
}

static const char *talk(mbedtls_ssl_context *ssl, mbedtls_net_context *net, struct ca_connection *c,
                        bool hold, bool *resumed)
{
    unsigned char byte;
    mbedtls_ssl_set_bio(ssl, net, mbedtls_net_send, mbedtls_net_recv, NULL);
    int rc = mbedtls_ssl_handshake(ssl);
    if (rc == 0) {
        rc = ca_connection_established(c);
    }
    if (rc != 0) {
        enum ca_verdict v = ca_connection_verdict(c);
        return v == CA_V_TRUSTED ? "another service, or it went away" : ca_verdict_name(v);
    }
    *resumed = ca_connection_peer(c)->resumed;
    if (!exchange(ssl)) {
        return "no echo";
    }
    if (hold) {
        printf("holding\n");
        while (mbedtls_ssl_read(ssl, &byte, 1) > 0) {
        }
        printf("ended\n");
    }
    mbedtls_ssl_close_notify(ssl);
    return NULL;
}

/* NULL, or what was wrong. */
static const char *one(struct ca_identity *identity, char **argv, bool hold, bool *resumed)
{
    mbedtls_net_context net;
    mbedtls_ssl_context ssl;
    struct ca_connection *c = NULL;
    const char *wrong = "nobody is there";
    mbedtls_net_init(&net);
    mbedtls_ssl_init(&ssl);
    if (mbedtls_net_connect(&net, "127.0.0.1", argv[4], MBEDTLS_NET_PROTO_TCP) == 0) {
        int rc = ca_identity_connect(identity, &ssl, str(argv[3]), str(argv[4]), &c);
        wrong = rc == CA_OK ? talk(&ssl, &net, c, hold, resumed) : ca_identity_strerror(rc);
    }
    mbedtls_ssl_free(&ssl);
    ca_connection_destroy(c);
    mbedtls_net_free(&net);
    return wrong;
}

static bool input_ended(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    return poll(&in, 1, 0) > 0;
}

static int run(struct ca_identity *identity, char **argv)
{
    bool hold = strcmp(argv[5], "hold") == 0, stream = strcmp(argv[5], "stream") == 0;
    int count = hold ? 1 : atoi(argv[5]), good = 0, failed = 0, resumed = 0;
    for (int n = 0; stream ? !input_ended() : n < count; n++) {
        bool again = false;
        const char *wrong = one(identity, argv, hold, &again);
        resumed += again;
        good += !wrong;
        failed += wrong != NULL;
        if (wrong) {
            printf("failed: %s\n", wrong);
        }
    }
    printf("good %d failed %d resumed %d\n", good, failed, resumed);
    return failed > 0;
}

int main(int argc, char **argv)
{
    struct ca_identity_config cfg;
    struct ca_identity *identity;
    struct ca_diag why = {""};
    if (argc != 6) {
        fprintf(stderr, "usage: %s AGENT SERVICE OTHER PORT COUNT|hold|stream\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    ca_identity_config_init(&cfg);
    cfg.agent = argv[1];
    cfg.service = argv[2];
    if (ca_identity_create(&cfg, &identity, &why) != CA_OK ||
        ca_identity_wait(identity, 30 * MU_SEC) != CA_OK) {
        fprintf(stderr, "no identity: %s\n", why.text);
        return 1;
    }
    int rc = run(identity, argv);
    ca_identity_destroy(identity);
    return rc;
}
