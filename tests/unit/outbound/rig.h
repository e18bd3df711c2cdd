/*
 * What the tests of a session share: a loop, a configuration with one
 * primary at scripted servers, and a note of every upcall. A test waits for
 * upcalls; the guard of 60 s only ends one that would wait for ever.
 */
#ifndef MXHOLD_TESTS_OUTBOUND_RIG_H
#define MXHOLD_TESTS_OUTBOUND_RIG_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mxhold/net/timer.h"
#include "mxhold/outbound/session.h"
#include "support/scripted_server.h"

struct rig {
	struct loop *loop;
	struct timer *guard;
	struct timer *pause;
	struct config config;
	struct config_primary primary;
	struct config_host hosts[12];
	struct outbound *outbound;
	struct session_target target;
	struct session *session;
	char dir[64]; /* of certificates; "" = none */
	struct tls_context *tls;

	/* what was told */
	unsigned opened, failed, sent, idle_ends, bodies;
	struct session_failure failure;
	struct session_result result;
	struct smtp_reply rcpts[8];
	/* what is sent: text, in pieces of `piece`, `repeats` times */
	const char *text;
	size_t piece, at;
	unsigned repeats;
	bool fail_body, body_later;
	bool close_in_upcall, quit_in_upcall;
};

static void rig_on_guard(void *data)
{
	(void)data;
	ck_abort_msg("nothing happened for 60 s");
}

static inline void rig_run(struct rig *r)
{
	timer_start(r->guard, 60000);
	loop_run(r->loop);
	timer_stop(r->guard);
}

static void rig_on_pause(void *data)
{
	struct rig *r = data;

	loop_stop(r->loop);
}

/* Lets the loop turn for a while: for what must not happen. */
static inline void rig_idle(struct rig *r, int64_t ms)
{
	timer_start(r->pause, ms);
	rig_run(r);
}

static void rig_on_open(void *data, const struct session_failure *failure)
{
	struct rig *r = data;

	if (failure) {
		r->failed++;
		r->failure = *failure;
	} else {
		r->opened++;
	}
	if (r->close_in_upcall) {
		session_close(r->session);
		r->session = NULL;
	}
	loop_stop(r->loop);
}

static void rig_give_body(void *data)
{
	struct rig *r = data;
	size_t all = strlen(r->text);
	size_t n;

	if (r->at == all && r->repeats > 1) {
		r->repeats--;
		r->at = 0;
	}
	n = r->piece ? MX_MIN(r->piece, all - r->at) : all - r->at;
	r->at += n;
	session_body(r->session, slice_make(r->text + r->at - n, n),
		     r->at == all && r->repeats <= 1);
}

static void rig_on_body(void *data)
{
	struct rig *r = data;

	r->bodies++;
	if (r->close_in_upcall) {
		session_close(r->session);
		r->session = NULL;
		loop_stop(r->loop);
	} else if (r->quit_in_upcall) {
		session_quit(r->session);
		r->session = NULL;
		loop_stop(r->loop);
	} else if (r->fail_body) {
		session_body_failed(r->session);
	} else if (r->body_later) {
		loop_defer(r->loop, rig_give_body, r);
	} else {
		rig_give_body(r);
	}
}

static void rig_on_sent(void *data, const struct session_result *result)
{
	struct rig *r = data;

	r->sent++;
	r->result = *result;
	for (size_t i = 0; i < result->n_rcpts && i < MX_ARRAY_SIZE(r->rcpts);
	     i++)
		r->rcpts[i] = result->rcpts[i];
	loop_stop(r->loop);
}

static void rig_on_idle_end(void *data)
{
	struct rig *r = data;

	r->idle_ends++;
	loop_stop(r->loop);
}

static const struct session_events rig_events = {
	.on_open = rig_on_open,
	.on_body = rig_on_body,
	.on_sent = rig_on_sent,
	.on_idle_end = rig_on_idle_end,
};

static inline void rig_init(struct rig *r)
{
	static char hostname[] = "backup.example.com";
	static char empty[] = "", system_ca[] = "system", name[] = "mx1";
	struct error err = {0};

	memset(r, 0, sizeof(*r));
	r->loop = loop_new(&err);
	ck_assert_msg(r->loop != NULL, "%s", err.text);
	r->guard = timer_new(r->loop, rig_on_guard, r);
	r->pause = timer_new(r->loop, rig_on_pause, r);
	r->config.hostname = hostname;
	r->config.refs = 1;
	r->primary = (struct config_primary){
		.name = name,
		.hosts = r->hosts,
		.mx_domain = empty,
		.port = 25,
		.pin = empty,
		.ca = system_ca,
		.client_cert = empty,
		.client_key = empty,
	};
	r->target = (struct session_target){
		.primary = &r->primary,
		.depth = PROBE_RCPT,
		.connect_timeout = 5000,
		.command_timeout = 30000,
		.data_timeout = 30000,
	};
	r->outbound = outbound_new(r->loop, NULL, &r->config);
	r->text = "Subject: x\r\n\r\n.hidden\r\nlast\r\n";
}

/* A host of the primary, by its address. */
static inline void rig_add(struct rig *r, const struct scripted *server)
{
	static char text[] = "127.0.0.1";

	r->hosts[r->primary.n_hosts++] = (struct config_host){
		.name = text,
		.is_address = true,
		.addr = server->at.addr,
		.port = server->at.port,
	};
}

/* A certificate for mx1.example.org, and a server's context. */
static inline void rig_make_tls(struct rig *r)
{
	char cert[96], key[96];
	struct tls_pair pair = {cert, key};
	struct error err = {0};

	snprintf(r->dir, sizeof(r->dir), "/tmp/mxhold-outbound-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(cert, sizeof(cert), "%s/cert.pem", r->dir);
	snprintf(key, sizeof(key), "%s/key.pem", r->dir);
	ck_assert_int_eq(tls_self_signed(cert, key, "mx1.example.org", &err),
			 0);
	r->tls = tls_context_server(&pair, 1, "1.2", &err);
	ck_assert_msg(r->tls != NULL, "%s", err.text);
}

/* The pin is computed by the openssl command, not by our own code. */
static inline bool rig_pin(const struct rig *r, char *pin, size_t room)
{
	char command[512];
	char hex[80] = "";
	FILE *f;

	snprintf(command, sizeof(command),
		 "openssl x509 -in %s/cert.pem -pubkey -noout 2>/dev/null | "
		 "openssl pkey -pubin -outform der 2>/dev/null | "
		 "sha256sum",
		 r->dir);
	f = popen(command, "r");
	if (!f)
		return false;
	if (!fgets(hex, sizeof(hex), f))
		hex[0] = 0;
	pclose(f);
	hex[64] = 0;
	snprintf(pin, room, "sha256:%s", hex);
	return strncmp(hex, "e3b0c44298fc1c14", 16) != 0; /* of nothing */
}

static inline void rig_done(struct rig *r)
{
	char path[96];

	session_close(r->session);
	outbound_free(r->outbound);
	timer_free(r->guard);
	timer_free(r->pause);
	tls_context_unref(r->tls);
	loop_free(r->loop);
	if (!r->dir[0])
		return;
	snprintf(path, sizeof(path), "%s/cert.pem", r->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/key.pem", r->dir);
	unlink(path);
	rmdir(r->dir);
}

static inline void rig_open(struct rig *r)
{
	r->session = session_open(r->outbound, &r->target, &rig_events, r);
	ck_assert_uint_eq(r->opened + r->failed, 0);
	rig_run(r);
}

static inline void rig_must_open(struct rig *r)
{
	rig_open(r);
	ck_assert_msg(r->opened == 1, "%s: %s",
		      session_stage_name(r->failure.stage), r->failure.text);
}

/* How the open session is protected: "name", "no" ...; "" = in clear. */
static inline const char *rig_proof(const struct rig *r)
{
	static struct session_protection p;

	session_protection(r->session, &p);
	ck_assert((p.version[0] == 0) == (p.cipher[0] == 0));
	return p.proof;
}

/* From a@example.org to n recipients b0@example.com ... */
static inline void rig_send(struct rig *r, size_t n,
			    const struct envelope *handover)
{
	static const char *const names[] = {"b0@example.com", "b1@example.com",
					    "b2@example.com", "b3@example.com"};
	struct recipient rcpts[4];
	struct smtp_send m = {
		.sender = SLICE("a@example.org"),
		.rcpts = rcpts,
		.n_rcpts = n,
		.size = strlen(r->text),
	};
	unsigned before = r->sent;

	memset(rcpts, 0, sizeof(rcpts));
	for (size_t i = 0; i < n; i++)
		rcpts[i].address = slice_str(names[i]);
	r->at = 0;
	session_send(r->session, &m, handover);
	ck_assert_uint_eq(r->sent, before);
	rig_run(r);
}

#endif
