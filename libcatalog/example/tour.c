/* tour.c - a catalog from the first entry to a waiter that is woken. */
#include <muster/catalog.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT(s) ((struct mu_str){(s), sizeof(s) - 1})

static uint64_t last_index; /* what a replicated log would count */

static void must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "tour: %s\n", catalog_strerror(rc));
        exit(1);
    }
}

/* Encodes a request as a log entry, applies it as a batch of its own and gives what it touched. */
static struct catalog_touched *commit(struct catalog *c, enum catalog_entry_type type,
                                      const void *request)
{
    unsigned char entry[1024];
    size_t len = sizeof entry;
    struct catalog_result result;
    struct catalog_touched *touched;
    must(catalog_encode_entry(type, request, entry, &len));
    must(catalog_apply_begin(c));
    must(catalog_apply(c, ++last_index, entry, len, &result));
    if (result.kind == CATALOG_RESULT_ERROR) {
        printf("refused: %.*s\n", (int)result.error.len, result.error.p);
    }
    catalog_apply_end(c, &touched);
    return touched;
}

static void woken(void *arg)
{
    printf("%s may have changed\n", (const char *)arg);
}

/* Prints the instances of a service and waits for the next change of them. */
static void ask(struct catalog_reader *r, struct catalog_watches *w)
{
    static char name[] = "web";
    struct catalog_service_request request = {.service_name = TEXT("web")};
    struct catalog_indexed_check_service_nodes reply;
    struct catalog_watch_keys keys;
    catalog_read_begin(r);
    must(catalog_query_check_service_nodes(r, &request, &reply, &keys));
    printf("index %llu: %zu of web\n", (unsigned long long)reply.meta.index, reply.nodes.len);
    for (size_t i = 0; i < reply.nodes.len; i++) {
        const struct catalog_check_service_node *one = reply.nodes.items[i];
        printf("  %.*s:%lld, %zu checks\n", (int)one->node->address.len, one->node->address.p,
               (long long)one->service->port, one->checks.len);
    }
    must(catalog_watches_add(w, &keys, woken, name, NULL));
    catalog_read_end(r);
}

int main(void)
{
    struct catalog *c;
    struct catalog_reader *r;
    struct catalog_watches *w;
    must(catalog_create(NULL, &c));
    must(catalog_reader_create(c, &r));
    must(catalog_watches_create(NULL, &w));
    ask(r, w);

    struct catalog_node_service web = {.service = TEXT("web"), .port = 8080};
    struct catalog_register_request request = {
        .node = TEXT("n1"), .address = TEXT("10.0.0.7"), .service = &web};
    struct catalog_touched *touched = commit(c, CATALOG_ENTRY_REGISTER, &request);
    catalog_watches_notify(w, touched); /* what a server does on each thread with waiters */
    catalog_touched_unref(touched);
    ask(r, w);

    struct catalog_kvs_request unrelated = {.op = TEXT("set"),
                                            .dir_ent = {.key = TEXT("a/b"), .value = TEXT("1")}};
    touched = commit(c, CATALOG_ENTRY_KVS, &unrelated);
    printf("%zu woken by a key\n", catalog_watches_notify(w, touched));
    catalog_touched_unref(touched);

    catalog_watches_destroy(w);
    catalog_reader_destroy(r);
    catalog_destroy(c);
    return 0;
}
