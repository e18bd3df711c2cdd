/* SHA-2, by OpenSSL. Any thread. */
#ifndef MXHOLD_NET_DIGEST_H
#define MXHOLD_NET_DIGEST_H

#include <stddef.h>
#include <stdint.h>

void digest_sha256(const void *p, size_t n, uint8_t out[32]);
void digest_sha512(const void *p, size_t n, uint8_t out[64]);

#endif
