#include "unit/net/tls_rig.h"

#include <stdio.h>
#include <unistd.h>

static void make_files(struct tls_rig *t)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/mxhold-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t->dir));
	snprintf(t->ca_file, sizeof(t->ca_file), "%s/ca.pem", t->dir);
	snprintf(t->cert_file, sizeof(t->cert_file), "%s/cert.pem", t->dir);
	snprintf(t->key_file, sizeof(t->key_file), "%s/key.pem", t->dir);
	cert_write(t->ca, NULL, t->ca_file, NULL);
	cert_write(t->leaf, t->ca, t->cert_file, t->key_file);
}

static void make_contexts(struct tls_rig *t)
{
	struct error err;
	struct tls_pair pair = {t->cert_file, t->key_file};
	t->server_ctx = tls_context_server(&pair, 1, "1.2", &err);
	ck_assert_msg(t->server_ctx != NULL, "%s", err.text);
	t->client_ctx = tls_context_client(t->ca_file, NULL, NULL, "1.2", &err);
	ck_assert_msg(t->client_ctx != NULL, "%s", err.text);
}

void tls_rig_open(struct tls_rig *t, struct cert *ca, struct cert *leaf)
{
	int fd[2];
	memset(t, 0, sizeof(*t));
	t->ca = ca ? ca : cert_authority("the authority");
	t->leaf = leaf ? leaf : cert_for("mx.example", t->ca);
	make_files(t);
	make_contexts(t);
	rig_open(&t->rig);
	pair_tcp(fd);
	set_blocking(fd[1], false);
	witness_open(&t->server, &t->rig, fd[0]);
	witness_open(&t->client, &t->rig, fd[1]);
}

void tls_rig_close(struct tls_rig *t)
{
	witness_done(&t->server);
	witness_done(&t->client);
	rig_close(&t->rig);
	tls_context_unref(t->server_ctx);
	tls_context_unref(t->client_ctx);
	cert_free(t->leaf);
	cert_free(t->ca);
	unlink(t->ca_file);
	unlink(t->cert_file);
	unlink(t->key_file);
	rmdir(t->dir);
}

void tls_rig_start(struct tls_rig *t, const struct tls_peer *peer)
{
	static const struct tls_peer anybody;
	ck_assert_uint_eq(stream_start_tls_server(t->server.s, t->server_ctx),
			  0);
	ck_assert_uint_eq(stream_start_tls_client(t->client.s, t->client_ctx,
						  peer ? peer : &anybody),
			  0);
}

void tls_rig_shake(struct tls_rig *t, const struct tls_peer *peer)
{
	tls_rig_start(t, peer);
	witness_until(&t->client, "t"); /* "tls" or "end(tls-failed)" */
	witness_until(&t->server, "t");
}
