/* relay.h - passes on the answer of another resolver (dns.md 6). */
#pragma once

#include "question.h"

/* May the message be passed on as the answer to q? It must answer that question, be well-formed,
 * and say either what there is or that there is no such name. */
bool dnsfront__relay_is_sound(const struct question *q, const uint8_t *bytes, size_t len);
/* A sound message with the client's ID and spelling of the name, whole if it has at most `max`
 * bytes; otherwise with the records that fit, in their order, and with TC if answers or authority
 * are missing (RFC 2181 9). buf holds max bytes, max is at least 512. The length. */
size_t dnsfront__relay_write(const struct question *q, const uint8_t *bytes, size_t len, size_t max,
                             uint8_t *buf);
