/* Two streams that speak TLS with each other, and the files for it. */
#ifndef MXHOLD_TESTS_UNIT_NET_TLS_RIG_H
#define MXHOLD_TESTS_UNIT_NET_TLS_RIG_H

#include "support/certs.h"
#include "unit/net/rig.h"

struct tls_rig {
	struct rig rig;
	struct witness server, client;
	struct tls_context *server_ctx, *client_ctx;
	char dir[32];
	char ca_file[64], cert_file[64], key_file[64];
	struct cert *ca, *leaf;
};

/* leaf NULL: one for mx.example by the rig's own authority, which the client
 * trusts. Takes the leaf over. The server's chain holds the authority too. */
void tls_rig_open(struct tls_rig *t, struct cert *ca, struct cert *leaf);
void tls_rig_close(struct tls_rig *t);
void tls_rig_start(struct tls_rig *t, const struct tls_peer *peer);
/* Both, and until both have told the outcome of the handshake. */
void tls_rig_shake(struct tls_rig *t, const struct tls_peer *peer);

#endif
