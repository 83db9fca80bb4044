/* frame.h - what two nodes say to each other on a connection: frames, of which the first is a
 * hello.
 *
 *   frame      4 length of the body   4 CRC32C of kind and body   1 kind: 1 hello, 2 message   body
 *   hello      4 magic "MRFT"         2 version, 1
 *              1 n, n cluster         1 n, n id of the sender
 *              1 n, n id of whom it takes the other side for, or empty
 *   message    as raft_message_encode writes it
 *
 * Numbers are little endian. The side that connects says hello first, the other answers with its
 * own or hangs up. Messages then travel from the side that connected to the other, never back: each
 * node has a connection of its own to each peer. A frame that fails its checksum ends the
 * connection. */
#pragma once

#include <muster/raft.h>

#define FRAME_HEAD_BYTES 9u
#define HELLO_BYTES_MAX  256u
#define CLUSTER_MAX      63u

enum frame_kind { FRAME_HELLO = 1, FRAME_MESSAGE = 2 };

void raft_node__frame_encode_head(uint8_t out[FRAME_HEAD_BYTES], enum frame_kind kind,
                                  const uint8_t *body, size_t len);
/* What the head promises; the body, once it is there, is checked by raft_node__frame_check. */
struct frame_head {
    uint32_t len, crc;
    uint8_t kind;
};
struct frame_head raft_node__frame_decode_head(const uint8_t head[FRAME_HEAD_BYTES]);
bool raft_node__frame_check(const struct frame_head *head, const uint8_t *body);

struct hello {
    char cluster[CLUSTER_MAX + 1], from[RAFT_ID_MAX + 1], to[RAFT_ID_MAX + 1];
};
/* Its length. */
size_t raft_node__hello_encode(uint8_t out[HELLO_BYTES_MAX], const struct hello *h);
bool raft_node__hello_decode(const uint8_t *body, size_t len, struct hello *out);
