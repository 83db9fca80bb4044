/* echo_server.c - a service that echoes, over mTLS, to whom the intentions allow.
 *
 *     echo_server 127.0.0.1:8500 web 7000
 *
 * A thread a connection; the port is on loopback, 0 means one that the system chooses. A connection
 * whose permission is withdrawn is shut down at once. */
#include <muster/ca_identity.h>

#include <arpa/inet.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    struct ca_identity *identity;
    mbedtls_net_context net;
};

static void say_state(void *user, enum ca_identity_state state, const char *why)
{
    (void)user;
    printf("state %s %s\n", ca_identity_state_name(state), why);
}

/* On the identity's thread: the thread that reads will see the end, and tidy up. */
static void on_change(void *user, struct ca_connection *c, bool allowed)
{
    struct client *client = user;
    const struct mu_str uri = ca_connection_peer(c)->uri;
    if (!allowed) {
        printf("withdrawn %.*s\n", (int)uri.len, uri.p);
        shutdown(client->net.fd, SHUT_RDWR);
    }
}

static void echo(mbedtls_ssl_context *ssl)
{
    unsigned char bytes[4096];
    int n;
    while ((n = mbedtls_ssl_read(ssl, bytes, sizeof bytes)) > 0) {
        for (int at = 0, wrote; at < n; at += wrote) {
            wrote = mbedtls_ssl_write(ssl, bytes + at, (size_t)(n - at));
            if (wrote <= 0) {
                return;
            }
        }
    }
    mbedtls_ssl_close_notify(ssl);
}

static void talk(struct client *client, mbedtls_ssl_context *ssl, struct ca_connection *c)
{
    mbedtls_ssl_set_bio(ssl, &client->net, mbedtls_net_send, mbedtls_net_recv, NULL);
    if (mbedtls_ssl_handshake(ssl) != 0 || ca_connection_established(c) != CA_OK) {
        printf("refused %s\n", ca_verdict_name(ca_connection_verdict(c)));
        return;
    }
    const struct ca_peer *peer = ca_connection_peer(c);
    if (!ca_connection_watch(c, on_change, client)) {
        printf("denied %.*s\n", (int)peer->uri.len, peer->uri.p);
        return;
    }
    printf("serving %.*s%s\n", (int)peer->uri.len, peer->uri.p, peer->resumed ? " resumed" : "");
    echo(ssl);
}

static void *serve(void *user)
{
    struct client *client = user;
    mbedtls_ssl_context ssl;
    struct ca_connection *c;
    mbedtls_ssl_init(&ssl);
    int rc = ca_identity_accept(client->identity, &ssl, &c);
    if (rc == CA_OK) {
        talk(client, &ssl, c);
    } else {
        printf("refused %s\n", ca_identity_strerror(rc));
    }
    mbedtls_ssl_free(&ssl);
    ca_connection_destroy(c);
    mbedtls_net_free(&client->net);
    free(client);
    return NULL;
}

static int listen_on(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        perror("listen");
        exit(1);
    }
    printf("port %d\n", ntohs(at.sin_port));
    return fd;
}

int main(int argc, char **argv)
{
    struct ca_identity_config cfg;
    struct ca_identity *identity;
    struct ca_diag why = {""};
    if (argc != 4) {
        fprintf(stderr, "usage: %s AGENT SERVICE PORT\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    ca_identity_config_init(&cfg);
    cfg.agent = argv[1];
    cfg.service = argv[2];
    cfg.state = say_state;
    if (ca_identity_create(&cfg, &identity, &why) != CA_OK ||
        ca_identity_wait(identity, 30 * MU_SEC) != CA_OK) {
        fprintf(stderr, "no identity: %s\n", why.text);
        return 1;
    }
    int listener = listen_on(argv[3]);
    for (;;) {
        struct client *client = malloc(sizeof *client);
        pthread_t thread;
        if (!client) {
            return 1;
        }
        client->identity = identity;
        client->net.fd = accept(listener, NULL, NULL);
        if (client->net.fd < 0 || pthread_create(&thread, NULL, serve, client) != 0) {
            perror("accept");
            return 1;
        }
        pthread_detach(thread);
    }
}
