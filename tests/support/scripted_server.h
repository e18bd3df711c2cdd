/*
 * A scripted SMTP server for tests, on the loop of the test, at a port of
 * its own on 127.0.0.1. A script is an array of steps, ended by NULL:
 *
 *	"S:220 hello"	say a line
 *	"R:250 a\r\n"	say these octets
 *	"C:EHLO "	wait for a line that begins so (caseless)
 *	"BODY"		wait for the lines of a message and its dot
 *	"SWALLOW"	wait for octets of any kind and drop them
 *	"TLS"		start TLS (the server's context)
 *	"CLOSE"		close in order; "DROP" at once
 *	"AUTO"		from here on answer like a mild server
 *	"STALL"		say nothing more (so does the end of a script)
 *
 * Connection number i plays script i, the last one all that follow. What a
 * client says is kept in `heard`, a line each; what does not fit its script
 * sets `misfit`.
 */
#ifndef MXHOLD_TESTS_SCRIPTED_SERVER_H
#define MXHOLD_TESTS_SCRIPTED_SERVER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/list.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/listener.h"
#include "mxhold/net/stream.h"
#include "mxhold/net/tls_context.h"

struct scripted {
	struct loop *loop;
	struct listener *listener;
	struct endpoint at;
	const char *const *const *scripts; /* ended by NULL */
	struct tls_context *tls;           /* or NULL */
	struct list open;                  /* struct scripted_client */
	unsigned n_clients;
	unsigned n_tls;
	struct buf heard;
	struct buf body; /* of every message, dots and all */
	char misfit[256];
	void (*on_client)(void *data); /* a connection came; may be NULL */
	void *data;
};

struct scripted_client {
	struct list link;
	struct scripted *server;
	struct stream *stream;
	const char *const *step;
	struct buf in;
	bool in_body, shaking, is_auto, over;
};

static void scripted_play(struct scripted_client *c);

static void scripted_say(struct scripted_client *c, const char *text,
			 const char *end)
{
	stream_write(c->stream, slice_str(text));
	stream_write(c->stream, slice_str(end));
}

static void scripted_forget(struct scripted_client *c, bool at_once)
{
	if (at_once)
		stream_close(c->stream);
	else
		stream_finish(c->stream);
	list_remove(&c->link);
	buf_done(&c->in);
	mem_free(c);
}

/* One line without CRLF, or false. */
static bool scripted_line(struct scripted_client *c, char *out, size_t room)
{
	struct slice in = buf_slice(&c->in);
	ptrdiff_t end = slice_index(in, '\n');
	size_t n;

	if (end < 0)
		return false;
	n = (size_t)end;
	n = n > 0 && in.p[n - 1] == '\r' ? n - 1 : n;
	n = MX_MIN(n, room - 1);
	memcpy(out, in.p, n);
	out[n] = 0;
	buf_consume(&c->in, (size_t)end + 1);
	return true;
}

static void scripted_hear(struct scripted_client *c, const char *line)
{
	buf_append_str(&c->server->heard, line);
	buf_append_str(&c->server->heard, "\n");
}

static bool scripted_starts(const char *line, const char *prefix)
{
	return slice_starts_nocase(slice_str(line), slice_str(prefix));
}

static const char *scripted_mild(struct scripted_client *c, const char *line)
{
	if (scripted_starts(line, "DATA")) {
		c->in_body = true;
		return "354 go on";
	}
	if (scripted_starts(line, "QUIT")) {
		c->over = true;
		return "221 bye";
	}
	if (scripted_starts(line, "EHLO"))
		return "250-mild\r\n250-PIPELINING\r\n250 8BITMIME";
	return "250 ok";
}

/* False: the client is gone. */
static bool scripted_auto(struct scripted_client *c)
{
	char line[1200];

	while (scripted_line(c, line, sizeof(line))) {
		if (c->in_body) {
			buf_append_str(&c->server->body, line);
			buf_append_str(&c->server->body, "\n");
			if (strcmp(line, ".") != 0)
				continue;
			c->in_body = false;
			scripted_say(c, "250 kept", "\r\n");
			continue;
		}
		scripted_hear(c, line);
		scripted_say(c, scripted_mild(c, line), "\r\n");
		if (c->over) {
			scripted_forget(c, false);
			return false;
		}
	}
	return true;
}

static bool scripted_wait(struct scripted_client *c, const char *prefix)
{
	char line[1200];

	if (!scripted_line(c, line, sizeof(line)))
		return false;
	scripted_hear(c, line);
	if (!scripted_starts(line, prefix))
		snprintf(c->server->misfit, sizeof(c->server->misfit),
			 "heard '%.100s', not '%.100s'", line, prefix);
	return true;
}

static bool scripted_body(struct scripted_client *c)
{
	char line[1200];

	while (scripted_line(c, line, sizeof(line))) {
		buf_append_str(&c->server->body, line);
		buf_append_str(&c->server->body, "\n");
		if (strcmp(line, ".") == 0)
			return true;
	}
	return false;
}

enum scripted_next {
	SCRIPTED_ON,
	SCRIPTED_WAIT,
	SCRIPTED_GONE
};

static enum scripted_next scripted_step(struct scripted_client *c)
{
	const char *step = *c->step;

	if (strncmp(step, "S:", 2) == 0) {
		scripted_say(c, step + 2, "\r\n");
	} else if (strncmp(step, "R:", 2) == 0) {
		scripted_say(c, step + 2, "");
	} else if (strncmp(step, "C:", 2) == 0) {
		if (!scripted_wait(c, step + 2))
			return SCRIPTED_WAIT;
	} else if (strcmp(step, "BODY") == 0) {
		if (!scripted_body(c))
			return SCRIPTED_WAIT;
	} else if (strcmp(step, "SWALLOW") == 0) {
		if (c->in.n == 0)
			return SCRIPTED_WAIT;
		buf_clear(&c->in);
	} else if (strcmp(step, "TLS") == 0) {
		c->shaking = true;
		stream_start_tls_server(c->stream, c->server->tls);
	} else if (strcmp(step, "CLOSE") == 0 || strcmp(step, "DROP") == 0) {
		scripted_forget(c, *step == 'D');
		return SCRIPTED_GONE;
	} else if (strcmp(step, "AUTO") == 0) {
		c->is_auto = true;
		return SCRIPTED_WAIT;
	} else {
		ck_assert_str_eq(step, "STALL");
		return SCRIPTED_WAIT;
	}
	c->step++;
	return SCRIPTED_ON;
}

/* Behind the end of its script a client is heard, but not answered. */
static void scripted_play(struct scripted_client *c)
{
	char line[1200];

	while (*c->step && !c->shaking && !c->is_auto) {
		enum scripted_next next = scripted_step(c);

		if (next == SCRIPTED_GONE)
			return;
		if (next == SCRIPTED_WAIT)
			break;
	}
	if (c->is_auto) {
		scripted_auto(c);
		return;
	}
	while (!*c->step && scripted_line(c, line, sizeof(line)))
		scripted_hear(c, line);
}

static size_t scripted_on_data(void *data, struct slice bytes)
{
	struct scripted_client *c = data;

	ck_assert_int_eq(buf_append_slice(&c->in, bytes), 0);
	scripted_play(c);
	return bytes.n;
}

static void scripted_on_tls(void *data)
{
	struct scripted_client *c = data;

	c->server->n_tls++;
	c->shaking = false;
	scripted_play(c);
}

static void scripted_on_end(void *data, enum stream_end how, const char *why)
{
	(void)how;
	(void)why;
	scripted_forget(data, true);
}

static const struct stream_events scripted_events = {
	.on_data = scripted_on_data,
	.on_tls = scripted_on_tls,
	.on_end = scripted_on_end,
};

static void scripted_on_accept(void *data, int fd, const struct endpoint *peer)
{
	struct scripted *s = data;
	struct scripted_client *c = mem_alloc(sizeof(*c));
	struct error err = {0};
	unsigned i = 0;

	(void)peer;
	c->server = s;
	buf_init(&c->in, 1 << 26);
	while (i < s->n_clients && s->scripts[i + 1])
		i++;
	s->n_clients++;
	c->step = s->scripts[i];
	list_append(&s->open, &c->link);
	c->stream = stream_new(s->loop, fd, &scripted_events, c, &err);
	ck_assert_msg(c->stream != NULL, "%s", err.text);
	scripted_play(c);
	if (s->on_client)
		s->on_client(s->data);
}

/* At `at`, whose port may be 0: any free one. */
static inline void scripted_start_on(struct scripted *s, struct loop *l,
				     struct endpoint at,
				     const char *const *const *scripts,
				     struct tls_context *tls)
{
	struct error err = {0};

	memset(s, 0, sizeof(*s));
	s->loop = l;
	s->scripts = scripts;
	s->tls = tls;
	list_init(&s->open);
	buf_init(&s->heard, 1 << 24);
	buf_init(&s->body, 1 << 26);
	s->listener = listener_open(l, &at, scripted_on_accept, s, &err);
	ck_assert_msg(s->listener != NULL, "%s", err.text);
	ck_assert_int_eq(listener_address(s->listener, &s->at), 0);
}

/* At `port` (0 = any free one). */
static inline void scripted_start_at(struct scripted *s, struct loop *l,
				     uint16_t port,
				     const char *const *const *scripts,
				     struct tls_context *tls)
{
	struct endpoint at = {.addr = {4, {127, 0, 0, 1}}, .port = port};

	scripted_start_on(s, l, at, scripts, tls);
}

static inline void scripted_start(struct scripted *s, struct loop *l,
				  const char *const *const *scripts,
				  struct tls_context *tls)
{
	scripted_start_at(s, l, 0, scripts, tls);
}

static inline void scripted_stop(struct scripted *s)
{
	listener_close(s->listener);
	LIST_FOR_EACH_SAFE (it, &s->open) {
		scripted_forget(
			MX_CONTAINER_OF(it, struct scripted_client, link),
			true);
	}
	buf_done(&s->heard);
	buf_done(&s->body);
}

/* For short time-outs only where one is what is tested. */
static inline bool scripted_stalls(const char *const *script)
{
	while (*script && strcmp(*script, "STALL") != 0)
		script++;
	return *script != NULL;
}

/* A line that begins so was heard. */
static inline bool scripted_heard(const struct scripted *s, const char *prefix)
{
	struct slice all = buf_slice(&s->heard);

	while (all.n > 0) {
		ptrdiff_t end = slice_index(all, '\n');

		if (slice_starts_nocase(all, slice_str(prefix)))
			return true;
		all = slice_skip(all, (size_t)end + 1);
	}
	return false;
}

static inline unsigned scripted_count(const struct scripted *s,
				      const char *prefix)
{
	struct slice all = buf_slice(&s->heard);
	unsigned n = 0;

	while (all.n > 0) {
		ptrdiff_t end = slice_index(all, '\n');

		n += slice_starts_nocase(all, slice_str(prefix));
		all = slice_skip(all, (size_t)end + 1);
	}
	return n;
}

#endif
