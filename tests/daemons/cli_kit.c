#include "cli_kit.h"

#include "base/loop.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

char cli_address[64], cli_output[8192], cli_complaint[8192];

static struct loop *loop;
static struct evhttp *http;
/* Set before a command runs, and read when it has ended: requests lie in between. */
static const struct cli_step *step;
static char wrong[1024]; /* the first request that was not expected */

static const char *method_of(struct evhttp_request *req)
{
    static const char *const methods[] = {[EVHTTP_REQ_GET] = "GET",
                                          [EVHTTP_REQ_PUT] = "PUT",
                                          [EVHTTP_REQ_POST] = "POST",
                                          [EVHTTP_REQ_DELETE] = "DELETE"};
    return methods[evhttp_request_get_command(req)];
}

static bool is_expected(const char *line, const char *sent)
{
    return step->request && strncmp(line, step->request, strlen(step->request)) == 0 &&
           (!step->sent || strcmp(sent, step->sent) == 0);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    char line[640], sent[640];
    (void)arg;
    struct evbuffer *in = evhttp_request_get_input_buffer(req), *out = evbuffer_new();
    snprintf(line, sizeof line, "%s %s", method_of(req), evhttp_request_get_uri(req));
    int n = evbuffer_remove(in, sent, sizeof sent - 1);
    sent[n > 0 ? n : 0] = '\0';
    if (!is_expected(line, sent)) {
        if (!wrong[0]) {
            snprintf(wrong, sizeof wrong, "%.400s with \"%.300s\" instead of %.200s", line, sent,
                     step->request ? step->request : "nothing");
        }
        evhttp_send_error(req, 599, "not in the script");
        evbuffer_free(out);
        return;
    }
    if (step->index) {
        char index[16];
        snprintf(index, sizeof index, "%u", step->index);
        evhttp_add_header(evhttp_request_get_output_headers(req), "X-Consul-Index", index);
    }
    evbuffer_add(out, step->body, step->len ? step->len : strlen(step->body));
    evhttp_send_reply(req, step->status, "x", out);
    evbuffer_free(out);
    step++;
}

void cli_script(const struct cli_step *steps)
{
    step = steps;
    wrong[0] = '\0';
}

void cli_script_done(void)
{
    assert_string_equal(wrong, "");
    assert_null(step->request);
}

int cli_kit_listen(void (*answer)(struct evhttp_request *req, void *arg))
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    unsetenv("CONSUL_HTTP_ADDR");
    unsetenv("CONSUL_HTTP_TOKEN");
    loop = loop_create("agent");
    http = evhttp_new(loop_base(loop));
    evhttp_set_gencb(http, answer, NULL);
    struct evhttp_bound_socket *s = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    assert_non_null(s);
    assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&in, &len), 0);
    snprintf(cli_address, sizeof cli_address, "-http-addr=127.0.0.1:%u", ntohs(in.sin_port));
    return loop_start(loop);
}

int cli_kit_setup(void **state)
{
    (void)state;
    return cli_kit_listen(on_request);
}

int cli_kit_teardown(void **state)
{
    (void)state;
    loop_stop(loop);
    loop_join(loop);
    evhttp_free(http);
    loop_destroy(loop);
    return 0;
}

/* ---- Running a command ---- */

void cli_capture(struct cli_capture *c, FILE *stream)
{
    fflush(stream);
    c->file = tmpfile();
    c->fd = fileno(stream);
    c->saved = dup(c->fd);
    dup2(fileno(c->file), c->fd);
}

void cli_release(struct cli_capture *c, FILE *stream, char *text, size_t cap)
{
    fflush(stream);
    dup2(c->saved, c->fd);
    close(c->saved);
    rewind(c->file);
    text[fread(text, 1, cap - 1, c->file)] = '\0';
    fclose(c->file);
}

int cli_run(int (*command)(int argc, char **argv), const char *const *words)
{
    char copies[16][256], *argv[17];
    int argc = 0;
    for (; words[argc]; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    struct cli_capture out, err;
    cli_capture(&out, stdout);
    cli_capture(&err, stderr);
    int rc = command(argc, argv);
    cli_release(&out, stdout, cli_output, sizeof cli_output);
    cli_release(&err, stderr, cli_complaint, sizeof cli_complaint);
    return rc;
}
