#include "mxhold/net/digest.h"

#include <openssl/sha.h>

void digest_sha256(const void *p, size_t n, uint8_t out[32])
{
	SHA256(p, n, out);
}

void digest_sha512(const void *p, size_t n, uint8_t out[64])
{
	SHA512(p, n, out);
}
