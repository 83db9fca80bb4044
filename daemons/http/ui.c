/* ui.c - the user interface: one page that is built in, or the files of a folder (http-api 10).
 *
 * What the folder does not have is answered with its index page, since paths are the page's own. A
 * path is walked name by name without following symbolic links, so it leads out of the folder on no
 * way. */
#include "ui.h"
#include "internal.h"
#include "routes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((off_t)16 << 20) /* larger ones are as if they were not there */

static const char html_type[] = "text/html; charset=utf-8";

static const struct http_route ui_route = {"/ui/", true, HTTP_ANY, "GET", route_ui, BODY_DEFAULT};

const struct http_route *http__ui_route(const struct http_server *s, struct mu_str path,
                                        struct mu_str *rest)
{
    size_t len = s->config.ui ? strlen(s->ui_path) : 0;
    if (len == 0 || path.len < len || memcmp(path.p, s->ui_path, len) != 0) {
        return NULL;
    }
    *rest = (struct mu_str){path.p + len, path.len - len};
    return &ui_route;
}

bool http__ui_lacks_slash(const struct http_server *s, struct mu_str path)
{
    size_t len = s->config.ui ? strlen(s->ui_path) : 0;
    return len > 1 && path.len == len - 1 && memcmp(path.p, s->ui_path, len - 1) == 0;
}

/* ---- The page that is built in ---- */

#define NONCE_MARK "@@@@@@@@nonce@@@@@@@@" /* in the page, where its scripts and styles begin */
#define NONCE_LEN  (sizeof NONCE_MARK - 1)

static bool make_nonce(char nonce[NONCE_LEN])
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    unsigned char random[NONCE_LEN];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return false;
    }
    for (size_t i = 0; i < NONCE_LEN; i++) {
        nonce[i] = letters[random[i] & 63];
    }
    return true;
}

/* Only scripts and styles of the page itself run: it has their nonce, which nobody can guess. */
static void reply_page(struct http_request *r)
{
    char nonce[NONCE_LEN];
    char *page = mu__arena_memdup(&r->arena, ui_page, ui_page_len);
    if (!page || !make_nonce(nonce)) {
        http_reply_empty(r, 500);
        return;
    }
    for (size_t at = 0; at + NONCE_LEN <= ui_page_len; at++) {
        if (page[at] == '@' && memcmp(page + at, NONCE_MARK, NONCE_LEN) == 0) {
            memcpy(page + at, nonce, NONCE_LEN);
            at += NONCE_LEN - 1;
        }
    }
    http_header(r, "Content-Security-Policy",
                "default-src 'none'; script-src 'nonce-%.*s'; style-src 'nonce-%.*s'; img-src "
                "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
                "'none'",
                (int)NONCE_LEN, nonce, (int)NONCE_LEN, nonce);
    http_header_text(r, "X-Content-Type-Options", "nosniff");
    http_header_text(r, "Referrer-Policy", "no-referrer");
    http_header_text(r, "Cache-Control", "no-store");
    http_reply_bytes(r, 200, html_type, (struct mu_str){page, ui_page_len});
}

/* ---- Files ---- */

static const char *type_of(struct mu_str name, struct mu_str content)
{
    static const struct {
        const char *suffix, *type;
    } types[] = {
        {".html", html_type},
        {".htm", html_type},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/vnd.microsoft.icon"},
        {".woff", "font/woff"},
        {".woff2", "font/woff2"},
        {".ttf", "font/ttf"},
        {".wasm", "application/wasm"},
        {".xml", "text/xml; charset=utf-8"},
        {".pdf", "application/pdf"},
        {".txt", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t len = strlen(types[i].suffix);
        struct mu_str end = {name.p + name.len - mu__min(name.len, len), mu__min(name.len, len)};
        if (mu__str_ieq(end, mu__cstr(types[i].suffix))) {
            return types[i].type;
        }
    }
    bool is_binary = content.len && memchr(content.p, 0, mu__min(content.len, 512));
    return is_binary ? "application/octet-stream" : "text/plain; charset=utf-8";
}

/* Opens one name in a folder; -1: there is nothing of that name that could be served. */
static int open_name(int folder, struct mu_str name, bool last)
{
    char text[256];
    bool is_name = name.len > 0 && name.len < sizeof text && !memchr(name.p, 0, name.len) &&
                   !mu__str_eq(name, mu__cstr(".")) && !mu__str_eq(name, mu__cstr(".."));
    if (!is_name) {
        return -1;
    }
    memcpy(text, name.p, name.len);
    text[name.len] = '\0';
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (last ? 0 : O_DIRECTORY);
    return openat(folder, text, flags);
}

/* What a path below the folder names; -1: nothing. */
static int open_path(const char *root, struct mu_str path)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && path.len) {
        const char *slash = memchr(path.p, '/', path.len);
        size_t len = slash ? (size_t)(slash - path.p) : path.len;
        int next = open_name(fd, (struct mu_str){path.p, len}, !slash);
        close(fd);
        fd = next;
        len += slash ? 1 : 0;
        path = (struct mu_str){path.p + len, path.len - len};
    }
    return fd;
}

static bool read_all(int fd, char *to, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, to + at, len - at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false; /* shorter than it was a moment ago */
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Takes the file. False: it cannot be served. */
static bool reply_file(struct http_request *r, int fd, struct mu_str name)
{
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX;
    size_t len = ok ? (size_t)st.st_size : 0;
    char *content = ok ? mu__arena_alloc(&r->arena, len + 1) : NULL;
    ok = content && read_all(fd, content, len);
    close(fd);
    if (ok) {
        char date[HTTP_DATE_MAX];
        struct mu_str body = {content, len};
        http_header_text(r, "Last-Modified", http__date(st.st_mtime, date));
        http_header_text(r, "X-Content-Type-Options", "nosniff");
        http_reply_bytes(r, 200, type_of(name, body), body);
    }
    return ok;
}

static bool reply_index(struct http_request *r, const char *root, struct mu_str folder)
{
    int in = open_path(root, folder);
    int fd = in >= 0 ? open_name(in, mu__cstr("index.html"), true) : -1;
    if (in >= 0) {
        close(in);
    }
    return fd >= 0 && reply_file(r, fd, mu__cstr("index.html"));
}

/* The last name of a path, in which a folder lacks its slash. */
static void reply_folder(struct http_request *r, struct mu_str path)
{
    size_t at = path.len;
    while (at > 0 && path.p[at - 1] != '/') {
        at--;
    }
    http_header(r, "Location", "%.*s/", (int)(path.len - at), path.p + at);
    http_reply_empty(r, 301);
}

static bool is_folder(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static void reply_path(struct http_request *r, const char *root, struct mu_str path)
{
    bool is_index = path.len == 0 || path.p[path.len - 1] == '/';
    int fd = is_index ? -1 : open_path(root, path);
    if (fd >= 0 && is_folder(fd)) {
        close(fd);
        reply_folder(r, path);
        return;
    }
    bool done = is_index ? reply_index(r, root, path) : fd >= 0 && reply_file(r, fd, path);
    if (!done && !reply_index(r, root, (struct mu_str){NULL, 0})) {
        http_reply_text(r, 404, "404 page not found\n");
    }
}

void route_ui(struct http_request *r)
{
    static const struct mu_str index = {"index.html", sizeof "index.html" - 1};
    const char *dir = r->server->ui_dir;
    struct mu_str end = {r->rest.p + r->rest.len - mu__min(r->rest.len, index.len),
                         mu__min(r->rest.len, index.len)};
    bool is_index = mu__str_eq(end, index) &&
                    (r->rest.len == index.len || r->rest.p[r->rest.len - index.len - 1] == '/');
    r->vary = false;
    if (is_index) { /* it has one address alone */
        http_header_text(r, "Location", "./");
        http_reply_empty(r, 301);
    } else if (dir[0]) {
        reply_path(r, dir, r->rest);
    } else {
        reply_page(r);
    }
}
