/* check_grpc_call.h - one call of grpc.health.v1.Health/Check as bytes over HTTP/2: what to send,
 * what came back. It does no I/O.
 *
 *     request    HealthCheckRequest{ string service = 1 }
 *     response   HealthCheckResponse{ enum status = 1: SERVING is 1 }
 *
 * each as one message behind a flag (0: not compressed) and a length of four bytes. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_TEXT_MAX    512u
#define GRPC_MESSAGE_MAX 4096u /* of a response; a status takes two bytes */

enum grpc_outcome {
    GRPC_PENDING,
    GRPC_SERVING,
    GRPC_NOT_SERVING,
    GRPC_FAILED /* grpc_call_error tells why */
};

struct grpc_call;
/* authority: host:port, for the server to see; tls: for the scheme; timeout_ns is what the server
 * is told. Text is copied. NULL when out of memory. */
struct grpc_call *grpc_call_create(const char *authority, const char *service, bool tls,
                                   uint64_t timeout_ns);
void grpc_call_destroy(struct grpc_call *c); /* NULL is allowed */

/* Takes bytes as they come from the peer. */
void grpc_call_feed(struct grpc_call *c, const uint8_t *data, size_t len);
/* Lends what is to be sent now, until the next call; 0 when there is nothing. */
size_t grpc_call_output(struct grpc_call *c, const uint8_t **data);
/* The peer has closed the connection. */
void grpc_call_end(struct grpc_call *c);

enum grpc_outcome grpc_call_outcome(const struct grpc_call *c);
const char *grpc_call_error(const struct grpc_call *c); /* `rpc error: code = ... desc = ...` */
