/* Whom the client believes: names, pins, TLSA records, SNI. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#include "mxhold/base/text.h"
#include "tls_internal.h"
#include "unit/net/tls_rig.h"
#include "unit/net/twice.h"

static struct tls_rig t;

/* problem NULL: it is verified, and nothing is in doubt. */
static void expect_doubt(const struct tls_peer *peer, enum tls_doubt doubt,
			 const char *problem)
{
	tls_rig_shake(&t, peer);
	const struct tls_info *i = stream_tls(t.client.s);
	ck_assert_msg(i != NULL, "%s: %s", "the handshake failed",
		      t.client.why);
	ck_assert_msg(problem ? strstr(i->problem, problem) != NULL
			      : i->problem[0] == '\0',
		      "problem: '%s', wanted: '%s'", i->problem,
		      problem ? problem : "");
	ck_assert(i->verified == !problem);
	ck_assert_int_eq(i->doubt, doubt);
	tls_rig_close(&t);
}

/* ---- names ---- */

static const struct {
	const char *cn, *san, *wanted, *problem;
} names[] = {
	{"x", "mx.example", "mx.example", NULL},
	{"x", "mx.example", "MX.Example", NULL},
	{"x", "mx.example", "other.example", "ostname mismatch"},
	{"mx.example", NULL, "mx.example", "ostname mismatch"}, /* CN: never */
	{"mx.example", "x.example", "mx.example", "ostname mismatch"},
	{"x", "*.example.com", "mx.example.com", NULL},
	{"x", "*.example.com", "a.mx.example.com", "ostname mismatch"},
	{"x", "*.example.com", "example.com", "ostname mismatch"},
	{"x", "m*.example.com", "mx.example.com", "ostname mismatch"},
	{"x", "mx.*.com", "mx.example.com", "ostname mismatch"},
	{"x", "*.*.com", "mx.example.com", "ostname mismatch"},
	{"x", "mx.example", "192.0.2.1", "IP address mismatch"},
};

/* TLS-45, TLS-46 */
START_TEST(verify__compares_names_as_rfc_9525_says)
{
	const char *const san[] = {names[_i].san, NULL};
	struct cert *ca = cert_authority("ca");
	struct cert_wish wish = {.cn = names[_i].cn,
				 .names = names[_i].san ? san : NULL};
	tls_rig_open(&t, ca, cert_new(&wish, ca));
	struct tls_peer peer = {.verify = TLS_VERIFY_NAME,
				.names = &names[_i].wanted,
				.n_names = 1};
	expect_doubt(&peer, names[_i].problem ? TLS_DOUBT_NAME : TLS_DOUBT_NONE,
		     names[_i].problem);
}
END_TEST

static const struct {
	const char *names[4];
	const char *told;
} named[] = {
	{{"mx.example"}, "its certificate names mx.example"},
	{{"a.example", "*.b.example"}, "names a.example, *.b.example"},
	{{NULL}, "names no host (its common name counts not)"},
	{{"root@mx.example"}, "names no host (its common name counts not)"},
	{{"root@mx.example", "a.example"}, "names a.example"},
	{{"sixty-three-octets-are-as-long-as-any-label-of-a-name-may-be-xxx.a",
	  "another-name-of-some-length.example", "a-third-one.example"},
	 "names sixty-three-octets-are-as-long-as-any-label-of-a-name-may-be-"
	 "xxx.a, another-name-of-some-length"},
	{{"e\033[2Jvil\n.example"}, "names e?[2Jvil?.example"},
};

/* What an operator reads is bounded, and steers no terminal. */
START_TEST(verify__tells_whom_the_certificate_names)
{
	struct cert *ca = cert_authority("ca");
	struct cert_wish wish = {.names = named[_i].names};
	const char *wanted = "other.example";
	struct tls_peer peer = {
		.verify = TLS_VERIFY_NAME, .names = &wanted, .n_names = 1};
	if (!named[_i].names[0])
		wish.names = NULL;
	tls_rig_open(&t, ca, cert_new(&wish, ca));
	tls_rig_shake(&t, &peer);
	const struct tls_info *i = stream_tls(t.client.s);
	ck_assert_int_eq(i->doubt, TLS_DOUBT_NAME);
	/* told to the end, and nothing behind it */
	ck_assert_str_eq(strstr(i->problem, "names "),
			 strstr(named[_i].told, "names "));
	tls_rig_close(&t);
}
END_TEST

START_TEST(verify__takes_any_of_several_names)
{
	const char *const wanted[] = {"example.com", "mx.example", "x.example"};
	tls_rig_open(&t, NULL, NULL);
	struct tls_peer peer = {
		.verify = TLS_VERIFY_NAME, .names = wanted, .n_names = 3};
	expect_doubt(&peer, TLS_DOUBT_NONE, NULL);
}
END_TEST

static const char *const mx[] = {"mx.example"};

START_TEST(verify__refuses_what_is_out_of_date)
{
	struct cert *ca = cert_authority("ca");
	const char *const san[] = {"mx.example", NULL};
	struct cert_wish wish = {.names = san, .from_days = -20};
	wish.to_days = -10;
	if (_i) {
		wish.from_days = 5;
		wish.to_days = 10;
	}
	tls_rig_open(&t, ca, cert_new(&wish, ca));
	struct tls_peer peer = {
		.verify = TLS_VERIFY_NAME, .names = mx, .n_names = 1};
	expect_doubt(&peer, TLS_DOUBT_DATE, _i ? "not yet valid" : "expired");
}
END_TEST

START_TEST(verify__refuses_an_unknown_authority)
{
	struct cert *other = cert_authority("somebody else");
	struct cert *leaf = cert_for("mx.example", _i ? other : NULL);
	tls_rig_open(&t, NULL, leaf);
	struct tls_peer peer = {
		.verify = TLS_VERIFY_NAME, .names = mx, .n_names = 1};
	expect_doubt(&peer, TLS_DOUBT_ISSUER, _i ? "issuer" : "self-signed");
	cert_free(other);
}
END_TEST

/* Its authority is in the chain, but nobody has told us of it. */
START_TEST(verify__refuses_an_authority_that_comes_with_the_certificate)
{
	struct cert *ca = cert_authority("somebody else");
	struct cert *ours = cert_authority("the only one");
	struct tls_peer peer = {
		.verify = TLS_VERIFY_NAME, .names = mx, .n_names = 1};
	tls_rig_open(&t, ca, cert_for("mx.example", ca));
	cert_write(ours, NULL, t.ca_file, NULL);
	tls_context_unref(t.client_ctx);
	t.client_ctx = tls_context_client(t.ca_file, NULL, NULL, NULL, NULL);
	expect_doubt(&peer, TLS_DOUBT_ISSUER, "self-signed certificate in");
	cert_free(ours);
}
END_TEST

static const enum tls_verify by_name[] = {TLS_VERIFY_NAME, TLS_VERIFY_MAYBE,
					  TLS_VERIFY_DANE};

START_TEST(verify__needs_a_name_to_compare)
{
	tls_rig_open(&t, NULL, NULL);
	struct tls_peer peer = {.verify = by_name[_i]};
	tls_rig_start(&t, &peer);
	witness_until(&t.client, "end(tls-failed)");
	tls_rig_close(&t);
}
END_TEST

/* Whatever it shows, encryption is better than none. */
START_TEST(verify__asks_nothing_of_an_opportunistic_peer)
{
	struct cert_wish wish = {.from_days = -20, .to_days = -10};
	tls_rig_open(&t, NULL, cert_new(&wish, NULL));
	tls_rig_shake(&t, NULL);
	const struct tls_info *i = stream_tls(t.client.s);
	ck_assert_ptr_nonnull(i);
	ck_assert(!i->verified);
	ck_assert_str_eq(i->problem, "");
	ck_assert_str_eq(i->peer_name, "CN=test");
	ck_assert_str_eq(i->version, "TLSv1.3");
	ck_assert_ptr_nonnull(strstr(i->cipher, "TLS_"));
	tls_rig_close(&t);
}
END_TEST

/* A server that knows nothing better than Diffie-Hellman of 1024 bits. */
static void open_to_an_old_server(void)
{
	struct cert_wish wish = {.rsa_bits = 2048};
	tls_rig_open(&t, NULL, cert_new(&wish, NULL));
	SSL_CTX *ssl = tls_context_ssl(t.server_ctx);
	SSL_CTX_set_security_level(ssl, 0);
	SSL_CTX_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ssl, "DHE-RSA-AES128-GCM-SHA256");
	SSL_CTX_set_dh_auto(ssl, 2);
}

static const struct {
	enum tls_verify verify;
	bool speaks;
} olds[] = {
	{TLS_VERIFY_NONE, true},
	{TLS_VERIFY_MAYBE, true},
	{TLS_VERIFY_NAME, false},
};

/* TLS-12: what nobody proves may as well be old. */
START_TEST(verify__speaks_to_an_old_server_when_nothing_is_asked_of_it)
{
	struct tls_peer peer = {
		.verify = olds[_i].verify, .names = mx, .n_names = 1};
	open_to_an_old_server();
	tls_rig_shake(&t, &peer);
	ck_assert_msg((stream_tls(t.client.s) != NULL) == olds[_i].speaks, "%s",
		      t.client.why);
	tls_rig_close(&t);
}
END_TEST

static const struct {
	const char *name;
	bool trusted, verified;
} maybes[] = {
	{"mx.example", true, true},
	{"other.example", true, false},
	{"mx.example", false, false},
};

/* TLS-12, TLS-30: no check is a failure, and REQUIRETLS mail knows. */
START_TEST(verify__tells_an_opportunistic_client_what_the_check_would_say)
{
	struct cert *stranger = cert_authority("a stranger");
	const char *name = maybes[_i].name;
	struct tls_peer peer = {
		.verify = TLS_VERIFY_MAYBE, .names = &name, .n_names = 1};
	tls_rig_open(&t, NULL,
		     maybes[_i].trusted ? NULL
					: cert_for("mx.example", stranger));
	tls_rig_shake(&t, &peer);
	const struct tls_info *i = stream_tls(t.client.s);
	ck_assert_ptr_nonnull(i);
	ck_assert(i->verified == maybes[_i].verified);
	ck_assert((i->problem[0] == '\0') == maybes[_i].verified);
	tls_rig_close(&t);
	cert_free(stranger);
}
END_TEST

/* ---- pins ---- */

static void base64(const uint8_t *p, char out[48])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";
	uint8_t in[33] = {0};
	memcpy(in, p, 32);
	for (int i = 0; i < 11; i++) {
		unsigned v = (unsigned)in[3 * i] << 16 |
			     (unsigned)in[3 * i + 1] << 8 | in[3 * i + 2];
		for (int k = 0; k < 4; k++)
			out[4 * i + k] = digits[v >> (18 - 6 * k) & 63];
	}
	strcpy(out + 43, "=");
}

enum pin_kind {
	PIN_HEX,
	PIN_BASE64,
	PIN_UNPADDED,
	PIN_OTHER,
	PIN_OF_CERT
};

static const struct {
	enum pin_kind kind;
	const char *problem;
} pins[] = {
	{PIN_HEX, NULL},
	{PIN_BASE64, NULL},
	{PIN_UNPADDED, NULL},
	{PIN_OTHER, "not the one pinned, but sha256:"},
	{PIN_OF_CERT, "not the one pinned, but sha256:"},
};

static void make_pin(enum pin_kind kind, char pin[96])
{
	uint8_t digest[32];
	cert_digest(t.leaf, kind != PIN_OF_CERT, digest);
	digest[31] ^= kind == PIN_OTHER;
	strcpy(pin, "sha256:");
	if (kind == PIN_BASE64 || kind == PIN_UNPADDED)
		base64(digest, pin + 7);
	else
		text_hex(digest, 32, pin + 7);
	if (kind == PIN_UNPADDED)
		pin[strlen(pin) - 1] = '\0';
}

START_TEST(verify__compares_the_pin_with_the_public_key)
{
	char pin[96];
	struct cert_wish expired = {.from_days = -20, .to_days = -10};
	tls_rig_open(&t, NULL, cert_new(&expired, NULL));
	make_pin(pins[_i].kind, pin);
	struct tls_peer peer = {.verify = TLS_VERIFY_PIN, .pin = pin};
	expect_doubt(&peer, pins[_i].problem ? TLS_DOUBT_PIN : TLS_DOUBT_NONE,
		     pins[_i].problem);
}
END_TEST

static const char *const bad_pins[] = {
	"",
	"sha256:",
	"sha256:zz",
	"sha512:"
	"0000000000000000000000000000000000000000000000000000000000000000",
	"sha256:"
	"000000000000000000000000000000000000000000000000000000000000000",
	"sha256:"
	"000000000000000000000000000000000000000000000000000000000000000g",
	"sha256:!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!=",
	"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	NULL,
};

START_TEST(verify__refuses_a_malformed_pin)
{
	tls_rig_open(&t, NULL, NULL);
	struct tls_peer peer = {.verify = TLS_VERIFY_PIN, .pin = bad_pins[_i]};
	tls_rig_start(&t, &peer);
	witness_until(&t.client, "end(tls-failed)");
	ck_assert_str_eq(t.client.why, "the pin is malformed");
	tls_rig_close(&t);
}
END_TEST

/* ---- TLSA (RFC 7672) ---- */

static struct tlsa tlsa_of(const struct cert *c, int usage, int selector,
			   int matching)
{
	struct tlsa r = {(uint8_t)usage,
			 (uint8_t)selector,
			 (uint8_t)matching,
			 {0},
			 matching == 2 ? 64 : 32};
	if (matching == 2)
		cert_digest512(c, selector, r.data);
	else
		cert_digest(c, selector, r.data);
	return r;
}

static const struct {
	int usage, selector, matching;
} kinds[] = {{3, 0, 1}, {3, 1, 1}, {3, 0, 2}, {3, 1, 2}};

/* TLS-24, RFC 7672 3.1.1: neither name nor date nor authority matter */
START_TEST(dane__believes_the_end_entity_that_is_named)
{
	struct cert_wish expired = {
		.cn = "odd", .from_days = -20, .to_days = -10};
	tls_rig_open(&t, NULL, cert_new(&expired, NULL));
	struct tlsa r = tlsa_of(t.leaf, kinds[_i].usage, kinds[_i].selector,
				kinds[_i].matching);
	struct tls_peer peer = {.verify = TLS_VERIFY_DANE,
				.names = mx,
				.n_names = 1,
				.tlsa = &r,
				.n_tlsa = 1};
	expect_doubt(&peer, TLS_DOUBT_NONE, NULL);
}
END_TEST

/* TLS-24 */
START_TEST(dane__refuses_another_end_entity)
{
	tls_rig_open(&t, NULL, NULL);
	struct tlsa r = tlsa_of(t.leaf, kinds[_i].usage, kinds[_i].selector,
				kinds[_i].matching);
	r.data[0] ^= 1;
	struct tls_peer peer = {.verify = TLS_VERIFY_DANE,
				.names = mx,
				.n_names = 1,
				.tlsa = &r,
				.n_tlsa = 1};
	expect_doubt(&peer, TLS_DOUBT_TLSA, "TLSA");
}
END_TEST

static const struct {
	const char *names[2];
	size_t n;
	const char *problem;
} anchors[] = {
	{{"mx.example"}, 1, NULL},
	{{"other.example", "mx.example"}, 2, NULL}, /* the next-hop domain */
	{{"other.example"}, 1, "ostname mismatch"},
};

/* TLS-25, RFC 7672 3.1.2: the anchor is in the chain, and a name must fit */
START_TEST(dane__believes_what_the_named_anchor_signed_for_the_name)
{
	struct cert *ca = cert_authority("unknown to the client");
	tls_rig_open(&t, ca, cert_for("mx.example", ca));
	tls_context_unref(t.client_ctx);
	t.client_ctx = tls_context_client("system", NULL, NULL, NULL, NULL);
	struct tlsa r = tlsa_of(ca, 2, 1, 1);
	struct tls_peer peer = {.verify = TLS_VERIFY_DANE,
				.names = anchors[_i].names,
				.n_names = anchors[_i].n,
				.tlsa = &r,
				.n_tlsa = 1};
	expect_doubt(&peer,
		     anchors[_i].problem ? TLS_DOUBT_NAME : TLS_DOUBT_NONE,
		     anchors[_i].problem);
}
END_TEST

/* TLS-26, RFC 7671 9: beside a stronger digest the weaker does not count */
START_TEST(dane__counts_the_strongest_digest_only)
{
	tls_rig_open(&t, NULL, NULL);
	struct tlsa r[] = {tlsa_of(t.leaf, 3, 1, 1), tlsa_of(t.leaf, 3, 1, 2)};
	r[1].data[5] ^= 1;
	struct tls_peer peer = {.verify = TLS_VERIFY_DANE,
				.names = mx,
				.n_names = 1,
				.tlsa = r,
				.n_tlsa = 2};
	expect_doubt(&peer, TLS_DOUBT_TLSA, "TLSA");
}
END_TEST

START_TEST(dane__takes_any_record_that_fits)
{
	tls_rig_open(&t, NULL, NULL);
	struct tlsa r[] = {tlsa_of(t.leaf, 3, 1, 1), tlsa_of(t.leaf, 3, 1, 1),
			   tlsa_of(t.leaf, 1, 1, 1)};
	r[0].data[5] ^= 1;
	struct tls_peer peer = {.verify = TLS_VERIFY_DANE,
				.names = mx,
				.n_names = 1,
				.tlsa = r,
				.n_tlsa = 3};
	expect_doubt(&peer, TLS_DOUBT_NONE, NULL);
}
END_TEST

/* TLS-22: Usages 0 and 1 are no authentication, also where they would fit; it
 * fails here, so that nobody takes it for one. */
START_TEST(dane__fails_without_a_usable_record)
{
	tls_rig_open(&t, NULL, NULL);
	struct tlsa r = tlsa_of(t.leaf, 1, 1, 1);
	ck_assert(!tlsa_is_usable(&r));
	struct tls_peer peer = {.verify = TLS_VERIFY_DANE,
				.names = mx,
				.n_names = 1,
				.tlsa = &r,
				.n_tlsa = 1};
	tls_rig_start(&t, &peer);
	witness_until(&t.client, "end(tls-failed)");
	ck_assert_str_eq(t.client.why, "no TLSA record is usable");
	tls_rig_close(&t);
}
END_TEST

static const struct {
	struct tlsa r;
	bool usable;
} usable[] = {
	{{.usage = 3, .selector = 1, .matching = 1, .n = 32}, true},
	{{.usage = 2, .selector = 0, .matching = 2, .n = 64}, true},
	{{.usage = 3, .selector = 1, .matching = 1, .n = 31}, false},
	{{.usage = 3, .selector = 1, .matching = 2, .n = 32}, false},
	{{.usage = 3, .selector = 2, .matching = 1, .n = 32}, false},
	{{.usage = 3, .selector = 1, .matching = 3, .n = 32}, false},
	{{.usage = 0, .selector = 1, .matching = 1, .n = 32}, false},
	{{.usage = 1, .selector = 1, .matching = 1, .n = 32}, false},
	{{.usage = 255, .selector = 1, .matching = 1, .n = 32}, false},
};

/* TLS-23 */
START_TEST(tlsa__is_usable_when_rfc_7672_says_so)
{
	ck_assert(tlsa_is_usable(&usable[_i].r) == usable[_i].usable);
}
END_TEST

/* ---- SNI ---- */

static const struct {
	const char *sni, *shown;
} chosen[] = {
	{NULL, "CN=mx.example"},
	{"mx.example", "CN=mx.example"},
	{"second.example", "CN=second.example"},
	{"SECOND.example", "CN=second.example"},
	{"unknown.example", "CN=mx.example"}, /* RFC 7672 8.1: no error */
};

/* TLS-8 */
START_TEST(sni__chooses_the_certificate_and_unknown_gets_the_default)
{
	char second_cert[64], second_key[64];
	struct error err;
	tls_rig_open(&t, NULL, NULL);
	snprintf(second_cert, sizeof(second_cert), "%s/2.pem", t.dir);
	snprintf(second_key, sizeof(second_key), "%s/2.key", t.dir);
	struct cert *second = cert_for("second.example", NULL);
	cert_write(second, NULL, second_cert, second_key);
	struct tls_pair pairs[] = {{t.cert_file, t.key_file},
				   {second_cert, second_key}};
	tls_context_unref(t.server_ctx);
	t.server_ctx = tls_context_server(pairs, 2, "1.2", &err);
	struct tls_peer peer = {.sni = chosen[_i].sni};
	tls_rig_shake(&t, &peer);
	ck_assert_str_eq(stream_tls(t.client.s)->peer_name, chosen[_i].shown);
	cert_free(second);
	unlink(second_cert);
	unlink(second_key);
	tls_rig_close(&t);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"tls_verify",
		LOOP(verify__compares_names_as_rfc_9525_says, names),
		LOOP(verify__tells_whom_the_certificate_names, named),
		TEST(verify__takes_any_of_several_names),
		TWICE(verify__refuses_what_is_out_of_date),
		TWICE(verify__refuses_an_unknown_authority),
		TEST(verify__refuses_an_authority_that_comes_with_the_certificate),
		LOOP(verify__needs_a_name_to_compare, by_name),
		TEST(verify__asks_nothing_of_an_opportunistic_peer),
		LOOP(verify__speaks_to_an_old_server_when_nothing_is_asked_of_it,
		     olds),
		LOOP(verify__tells_an_opportunistic_client_what_the_check_would_say,
		     maybes),
		LOOP(verify__compares_the_pin_with_the_public_key, pins),
		LOOP(verify__refuses_a_malformed_pin, bad_pins),
		LOOP(dane__believes_the_end_entity_that_is_named, kinds),
		LOOP(dane__refuses_another_end_entity, kinds),
		LOOP(dane__believes_what_the_named_anchor_signed_for_the_name,
		     anchors),
		TEST(dane__counts_the_strongest_digest_only),
		TEST(dane__takes_any_record_that_fits),
		TEST(dane__fails_without_a_usable_record),
		LOOP(tlsa__is_usable_when_rfc_7672_says_so, usable),
		LOOP(sni__chooses_the_certificate_and_unknown_gets_the_default,
		     chosen));
}
