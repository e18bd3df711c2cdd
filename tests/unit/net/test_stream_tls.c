/* Streams that turn to TLS, whole and broken in every way. */
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/base/mem.h"
#include "unit/net/tls_rig.h"

static struct tls_rig t;

START_TEST(tls__carries_bytes_both_ways)
{
	enum {
		N = 300000
	};
	char *block = mem_alloc(N);
	for (size_t i = 0; i < N; i++)
		block[i] = (char)(i * 13 >> 4);
	tls_rig_open(&t, NULL, NULL);
	tls_rig_shake(&t, NULL);
	t.server.echo = t.server.brief = t.client.brief = true;
	stream_write(t.client.s, slice_make(block, N));
	witness_until_got(&t.client, N);
	ck_assert_uint_eq(t.client.got.n, N);
	ck_assert_mem_eq(buf_slice(&t.client.got).p, block, N);
	mem_free(block);
	tls_rig_close(&t);
}
END_TEST

START_TEST(tls__tells_nothing_of_itself_before_the_handshake)
{
	tls_rig_open(&t, NULL, NULL);
	ck_assert_ptr_null(stream_tls(t.server.s));
	tls_rig_start(&t, NULL);
	ck_assert_ptr_null(stream_tls(t.server.s));
	witness_until(&t.server, "tls");
	ck_assert_str_eq(stream_tls(t.server.s)->version, "TLSv1.3");
	ck_assert(!stream_tls(t.server.s)->verified);
	tls_rig_close(&t);
}
END_TEST

/* What was said in clear before ("220 ready") goes out in clear, what is
 * written after waits for the handshake. */
START_TEST(tls__begins_behind_what_is_queued)
{
	tls_rig_open(&t, NULL, NULL);
	stream_write(t.server.s, SLICE("220 ready"));
	ck_assert_uint_eq(stream_start_tls_server(t.server.s, t.server_ctx), 0);
	stream_write(t.server.s, SLICE("inside"));
	witness_until(&t.client, "data(220 ready)");
	static const struct tls_peer anybody;
	stream_start_tls_client(t.client.s, t.client_ctx, &anybody);
	witness_until(&t.client, "data(inside)");
	ck_assert_slice_eq(buf_slice(&t.client.story),
			   "data(220 ready) tls data(inside) ");
	tls_rig_close(&t);
}
END_TEST

static void start_server(struct witness *w, struct slice bytes MX_UNUSED)
{
	w->also = NULL;
	ck_assert_uint_eq(stream_start_tls_server(w->s, t.server_ctx), 0);
}

/* RFC 3207 4.2, CVE-2011-0411: what was injected after STARTTLS never comes
 * out of the TLS session. */
START_TEST(tls__throws_away_what_came_in_clear_behind_starttls)
{
	tls_rig_open(&t, NULL, NULL);
	t.server.take = 10;
	t.server.also = start_server;
	stream_write(t.client.s, SLICE("STARTTLS\r\nNOOP\r\n"));
	witness_until(&t.server, "data(STARTTLS");
	ck_assert_uint_eq(stream_discarded(t.server.s), 6);
	ck_assert_uint_eq(stream_pending(t.server.s), 0);
	t.server.take = SIZE_MAX;
	static const struct tls_peer anybody;
	stream_start_tls_client(t.client.s, t.client_ctx, &anybody);
	stream_write(t.client.s, SLICE("EHLO"));
	witness_until(&t.server, "data(EHLO)");
	ck_assert_slice_eq(buf_slice(&t.server.got), "STARTTLS\r\nEHLO");
	tls_rig_close(&t);
}
END_TEST

START_TEST(tls__counts_what_waited_in_clear)
{
	tls_rig_open(&t, NULL, NULL);
	t.server.take = 10;
	stream_write(t.client.s, SLICE("STARTTLS\r\nNOOP\r\n"));
	witness_until(&t.server, "data(STARTTLS");
	ck_assert_uint_eq(stream_pending(t.server.s), 6);
	ck_assert_uint_eq(stream_start_tls_server(t.server.s, t.server_ctx), 6);
	ck_assert_uint_eq(stream_pending(t.server.s), 0);
	ck_assert_uint_eq(stream_discarded(t.server.s), 6);
	tls_rig_close(&t);
}
END_TEST

START_TEST(tls__keeps_what_the_owner_leaves_until_it_resumes)
{
	tls_rig_open(&t, NULL, NULL);
	tls_rig_shake(&t, NULL);
	t.server.take = 2;
	stream_write(t.client.s, SLICE("abcdef"));
	witness_until(&t.server, "data(ab)");
	rig_settle(&t.rig);
	ck_assert_slice_eq(buf_slice(&t.server.got), "ab");
	ck_assert_uint_eq(stream_pending(t.server.s), 4);
	t.server.take = SIZE_MAX;
	stream_resume(t.server.s);
	witness_until(&t.server, "data(cdef)");
	ck_assert_uint_eq(stream_pending(t.server.s), 0);
	tls_rig_close(&t);
}
END_TEST

static void dither(struct witness *w, struct slice bytes MX_UNUSED)
{
	if (w->calls % 3)
		stream_resume(w->s);
	else
		stream_pause(w->s);
}

START_TEST(tls__gives_every_byte_once_through_pauses)
{
	enum {
		N = 200000
	};
	char *block = mem_alloc(N);
	for (size_t i = 0; i < N; i++)
		block[i] = (char)(i * 7 >> 3);
	tls_rig_open(&t, NULL, NULL);
	tls_rig_shake(&t, NULL);
	t.server.take = 1009;
	t.server.brief = true;
	t.server.also = dither;
	stream_write(t.client.s, slice_make(block, N));
	while (t.server.got.n < N) {
		rig_settle(&t.rig);
		ck_assert_uint_le(stream_pending(t.server.s), 1 << 16);
		stream_resume(t.server.s);
	}
	ck_assert_uint_eq(t.server.got.n, N);
	ck_assert_mem_eq(buf_slice(&t.server.got).p, block, N);
	ck_assert_uint_eq(t.server.deepest, 1);
	mem_free(block);
	tls_rig_close(&t);
}
END_TEST

START_TEST(tls__ends_in_order_with_close_notify)
{
	tls_rig_open(&t, NULL, NULL);
	tls_rig_shake(&t, NULL);
	stream_write(t.server.s, SLICE("221 bye"));
	stream_finish(t.server.s);
	t.server.s = NULL;
	witness_until(&t.client, "end");
	ck_assert_slice_eq(buf_slice(&t.client.story),
			   "tls data(221 bye) end(eof) ");
	ck_assert_str_eq(t.client.why, "close_notify");
	tls_rig_close(&t);
}
END_TEST

START_TEST(tls__takes_a_bare_end_for_an_end)
{
	tls_rig_open(&t, NULL, NULL);
	tls_rig_shake(&t, NULL);
	stream_close(t.server.s);
	t.server.s = NULL;
	witness_until(&t.client, "end");
	ck_assert_str_ne(t.client.why, "close_notify");
	tls_rig_close(&t);
}
END_TEST

static const enum rig_event events[] = {RIG_TLS, RIG_DATA, RIG_DRAINED,
					RIG_END};

START_TEST(tls__may_be_closed_within_any_upcall)
{
	tls_rig_open(&t, NULL, NULL);
	t.server.close_at = events[_i];
	t.server.echo = true;
	tls_rig_start(&t, NULL);
	stream_write(t.client.s, SLICE("abc"));
	witness_until(&t.client, "tls");
	if (events[_i] != RIG_TLS)
		witness_until(&t.server, "data");
	if (events[_i] == RIG_END) {
		stream_finish(t.client.s);
		t.client.s = NULL;
	}
	while (t.server.s)
		loop_run(t.rig.loop);
	size_t before = t.server.story.n;
	rig_settle(&t.rig);
	ck_assert_uint_eq(t.server.story.n, before);
	tls_rig_close(&t);
}
END_TEST

START_TEST(tls__may_be_finished_within_any_upcall)
{
	tls_rig_open(&t, NULL, NULL);
	t.server.finish_at = events[_i];
	t.server.echo = true;
	tls_rig_start(&t, NULL);
	stream_write(t.client.s, SLICE("abc"));
	witness_until(&t.client, "tls");
	if (events[_i] == RIG_END) {
		witness_until(&t.server, "data");
		stream_finish(t.client.s);
		t.client.s = NULL;
	} else {
		witness_until(&t.client, "end(eof)");
		ck_assert_str_eq(t.client.why, "close_notify");
	}
	while (t.server.s)
		loop_run(t.rig.loop);
	tls_rig_close(&t);
}
END_TEST

/* ---- handshakes that fail ---- */

/* A stream that waits for a handshake, and a bare socket. */
static int bare_client(void)
{
	int fd[2];
	tls_rig_open(&t, NULL, NULL);
	pair_tcp(fd);
	witness_done(&t.server);
	witness_open(&t.server, &t.rig, fd[0]);
	stream_start_tls_server(t.server.s, t.server_ctx);
	return fd[1];
}

static const struct slice garbage[] = {
	{"EHLO attacker.example\r\n", 23},
	{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
	{"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", 10},
	{"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80", 14},
};

START_TEST(handshake__fails_on_garbage)
{
	int fd = bare_client();
	ck_assert_int_gt(write(fd, garbage[_i].p, garbage[_i].n), 0);
	shutdown(fd, SHUT_WR);
	witness_until(&t.server, "end(tls-failed)");
	ck_assert_slice_eq(buf_slice(&t.server.story), "end(tls-failed) ");
	ck_assert_str_ne(t.server.why, "");
	stream_write(t.server.s, SLICE("no clear text after it"));
	ck_assert_uint_eq(stream_queued(t.server.s), 0);
	close(fd);
	tls_rig_close(&t);
}
END_TEST

/* A ClientHello of 128 KiB, which OpenSSL would wait for to the end. */
START_TEST(handshake__takes_no_more_than_one_can_need)
{
	static const char record[] = "\x16\x03\x01\x40\x00";
	static char hello[16384] = "\x01\x01\xff\xff";
	int fd = bare_client();

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(write(fd, record, 5), 5);
		ck_assert_int_eq(write(fd, hello, sizeof(hello)),
				 sizeof(hello));
		hello[0] = hello[1] = hello[2] = hello[3] = 0;
	}
	witness_until(&t.server, "end(tls-failed)");
	ck_assert_str_eq(t.server.why, "TLS: endless handshake");
	close(fd);
	tls_rig_close(&t);
}
END_TEST

START_TEST(handshake__fails_when_the_peer_hangs_up)
{
	int fd = bare_client();
	ck_assert_int_eq(write(fd, "\x16\x03\x01", 3), 3);
	shutdown(fd, SHUT_WR);
	witness_until(&t.server, "end(tls-failed)");
	ck_assert_str_eq(t.server.why,
			 "the peer hung up during the TLS handshake");
	close(fd);
	tls_rig_close(&t);
}
END_TEST

START_TEST(handshake__ends_with_a_reset)
{
	struct linger l = {1, 0};
	int fd = bare_client();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
	witness_until(&t.server, "end(error)");
	tls_rig_close(&t);
}
END_TEST

START_TEST(handshake__ends_at_the_deadline)
{
	int fd = bare_client();
	stream_deadline(t.server.s, 5);
	witness_until(&t.server, "end(timeout)");
	close(fd);
	tls_rig_close(&t);
}
END_TEST

START_TEST(handshake__may_be_finished_before_it_is_over)
{
	char got[16];
	int fd = bare_client();
	stream_write(t.server.s, SLICE("never sent"));
	stream_finish(t.server.s);
	t.server.s = NULL;
	rig_settle(&t.rig);
	ck_assert_uint_eq(read_all(fd, got, sizeof(got)), 0);
	close(fd);
	tls_rig_close(&t);
}
END_TEST

/* ---- against OpenSSL itself ---- */

struct openssl_client {
	int fd;
	int version; /* the only one offered; 0 = any */
	const char *alpn;
	bool renegotiate;
	bool shaken, renegotiated;
	char alpn_chosen[16];
	char got[32];
	uint32_t early_data; /* that a next session may begin with */
	bool compressed;
};

static void *run_openssl(void *data)
{
	struct openssl_client *c = data;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(ctx, 0);
	if (c->version) {
		SSL_CTX_set_min_proto_version(ctx, c->version);
		SSL_CTX_set_max_proto_version(ctx, c->version);
	}
	SSL_CTX_clear_options(ctx, SSL_OP_NO_COMPRESSION);
	SSL *ssl = SSL_new(ctx);
	const unsigned char *alpn = NULL;
	unsigned n = 0;
	SSL_set_fd(ssl, c->fd);
	if (c->alpn)
		SSL_set_alpn_protos(ssl, (const unsigned char *)c->alpn,
				    (unsigned)strlen(c->alpn));
	c->shaken = SSL_connect(ssl) == 1;
	SSL_get0_alpn_selected(ssl, &alpn, &n);
	if (alpn && n < sizeof(c->alpn_chosen))
		memcpy(c->alpn_chosen, alpn, n);
	if (c->shaken && c->renegotiate)
		c->renegotiated =
			SSL_renegotiate(ssl) == 1 && SSL_do_handshake(ssl) == 1;
	if (c->shaken && !c->renegotiate && SSL_write(ssl, "ping", 4) == 4)
		SSL_read(ssl, c->got, sizeof(c->got) - 1);
	if (c->shaken) {
		c->early_data =
			SSL_SESSION_get_max_early_data(SSL_get0_session(ssl));
		c->compressed = SSL_get_current_compression(ssl) != NULL;
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void against_openssl(struct openssl_client *c)
{
	pthread_t thread;
	c->fd = bare_client();
	t.server.echo = true;
	pthread_create(&thread, NULL, run_openssl, c);
	witness_until(&t.server, "end");
	stream_close(t.server.s);
	t.server.s = NULL;
	pthread_join(thread, NULL);
	close(c->fd);
	tls_rig_close(&t);
}

static const struct {
	int version;
	bool works;
} versions[] = {
	{TLS1_VERSION, false},
	{TLS1_1_VERSION, false},
	{TLS1_2_VERSION, true},
	{TLS1_3_VERSION, true},
};

/* TLS-7, RFC 8996, RFC 9325 */
START_TEST(handshake__is_of_tls_1_2_and_1_3_only)
{
	struct openssl_client c = {.version = versions[_i].version};
	against_openssl(&c);
	ck_assert(c.shaken == versions[_i].works);
	ck_assert_str_eq(c.got, versions[_i].works ? "ping" : "");
}
END_TEST

static const struct {
	const char *offer, *chosen;
} protocols[] = {
	{"\x04smtp", "smtp"},
	{"\x02h2\x04smtp", "smtp"},
	{"\x08http/1.1", NULL},
	{"\x02h2\x08http/1.1", NULL},
};

/* RFC 7301; ALPACA, CVE-2021-3618 */
START_TEST(handshake__refuses_clients_that_want_another_protocol)
{
	struct openssl_client c = {.alpn = protocols[_i].offer};
	against_openssl(&c);
	ck_assert(c.shaken == (protocols[_i].chosen != NULL));
	ck_assert_str_eq(c.alpn_chosen,
			 protocols[_i].chosen ? protocols[_i].chosen : "");
}
END_TEST

/* TLS-7, CVE-2009-3555 */
START_TEST(session__is_not_renegotiated)
{
	struct openssl_client c = {.version = TLS1_2_VERSION,
				   .renegotiate = true};
	against_openssl(&c);
	ck_assert(c.shaken);
	ck_assert(!c.renegotiated);
}
END_TEST

static int count_hello(SSL *ssl MX_UNUSED, int *alert MX_UNUSED, void *data)
{
	++*(unsigned *)data;
	return SSL_CLIENT_HELLO_SUCCESS;
}

struct openssl_server {
	int fd;
	unsigned hellos;
	char got[32];
};

/* It would have another handshake in the middle of the session. */
static void *serve_openssl(void *data)
{
	struct openssl_server *s = data;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate_chain_file(ctx, t.cert_file);
	SSL_CTX_use_PrivateKey_file(ctx, t.key_file, SSL_FILETYPE_PEM);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_client_hello_cb(ctx, count_hello, &s->hellos);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, s->fd);
	if (SSL_accept(ssl) == 1) {
		SSL_read(ssl, s->got, sizeof(s->got) - 1);
		SSL_renegotiate(ssl);
		SSL_do_handshake(ssl);
		while (SSL_read(ssl, s->got, sizeof(s->got) - 1) > 0)
			;
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

/* CVE-2009-3555, for the client: what was proved stays what it is. */
START_TEST(session__is_not_renegotiated_by_a_server)
{
	static const struct tls_peer anybody;
	struct openssl_server s = {0};
	pthread_t thread;
	int fd[2];
	tls_rig_open(&t, NULL, NULL);
	pair_tcp(fd);
	s.fd = fd[1];
	witness_done(&t.client);
	witness_open(&t.client, &t.rig, fd[0]);
	pthread_create(&thread, NULL, serve_openssl, &s);
	stream_start_tls_client(t.client.s, t.client_ctx, &anybody);
	witness_until(&t.client, "tls");
	stream_write(t.client.s, SLICE("ping"));
	witness_until(&t.client, "end");
	pthread_join(thread, NULL);
	ck_assert_str_eq(s.got, "ping");
	ck_assert_uint_eq(s.hellos, 1);
	close(fd[1]);
	tls_rig_close(&t);
}
END_TEST

static const int good_versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* TLS-7; CVE-2012-4929: no 0-RTT, whose octets could be played again, and no
 * compression. */
START_TEST(session__takes_no_early_data_and_compresses_nothing)
{
	struct openssl_client c = {.version = good_versions[_i]};
	against_openssl(&c);
	ck_assert_str_eq(c.got, "ping");
	ck_assert_uint_eq(c.early_data, 0);
	ck_assert(!c.compressed);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"stream_tls", TEST(tls__carries_bytes_both_ways),
		TEST(tls__tells_nothing_of_itself_before_the_handshake),
		TEST(tls__begins_behind_what_is_queued),
		TEST(tls__throws_away_what_came_in_clear_behind_starttls),
		TEST(tls__counts_what_waited_in_clear),
		TEST(tls__keeps_what_the_owner_leaves_until_it_resumes),
		TEST(tls__gives_every_byte_once_through_pauses),
		TEST(tls__ends_in_order_with_close_notify),
		TEST(tls__takes_a_bare_end_for_an_end),
		LOOP(tls__may_be_closed_within_any_upcall, events),
		LOOP(tls__may_be_finished_within_any_upcall, events),
		LOOP(handshake__fails_on_garbage, garbage),
		TEST(handshake__takes_no_more_than_one_can_need),
		TEST(handshake__fails_when_the_peer_hangs_up),
		TEST(handshake__ends_with_a_reset),
		TEST(handshake__ends_at_the_deadline),
		TEST(handshake__may_be_finished_before_it_is_over),
		LOOP(handshake__is_of_tls_1_2_and_1_3_only, versions),
		LOOP(handshake__refuses_clients_that_want_another_protocol,
		     protocols),
		TEST(session__is_not_renegotiated),
		TEST(session__is_not_renegotiated_by_a_server),
		LOOP(session__takes_no_early_data_and_compresses_nothing,
		     good_versions));
}
