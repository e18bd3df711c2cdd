/*
 * What tls asks of a primary beyond encryption, whether it was met, and what
 * its operator can do where it was not. Pure.
 */
#ifndef MXHOLD_OUTBOUND_TRUST_H
#define MXHOLD_OUTBOUND_TRUST_H

#include "mxhold/config/config.h"
#include "mxhold/net/tls_context.h"
#include "mxhold/outbound/dane.h"

/* What the host of a stranger gets, to whom nobody has bound us: RFC 7672 2.2,
 * opportunistic DANE. Not for DANE_FAILED. */
enum primary_tls trust_by_dane(enum dane_verdict verdict);
/* verify, pin, dane: without proof nothing is sent. */
bool trust_must_verify(enum primary_tls mode);
/* How the server was proved, asked for or not: "name", "pin", "dane", or
 * "no". */
const char *trust_proof_name(enum primary_tls mode,
			     const struct tls_info *info);
/* A sentence about a server that is not proved: which check has failed, and
 * what to do. */
void trust_explain(const struct tls_info *info, char *out, size_t room);

#endif
