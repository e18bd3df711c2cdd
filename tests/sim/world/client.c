/*
 * Senders: each mail is tried until its recipients were taken, with waits
 * that grow, as any sender does. A few vanish on the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../net/wire.h"
#include "world.h"

#include "mxhold/base/buf.h"
#include "mxhold/base/mem.h"

enum {
	PATIENCE_S = 300,
	TRIES_MAX = 40,
};

enum stage {
	STAGE_GREETING,
	STAGE_EHLO,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_DOT,
	STAGE_QUIT
};

struct client {
	struct sim_event event; /* the next try, or the end of patience */
	struct wire_end *wire;  /* NULL: not calling */
	int mail;
	enum stage stage;
	int rcpt;             /* whose answer is next */
	enum stage vanish_at; /* STAGE_QUIT: never */
	struct buf in, out;
};

static struct client *clients;

static size_t on_bytes(void *owner, struct slice bytes);
static void on_room(void *owner);
static void on_over(void *owner);
static void run_client(struct sim_event *e);

static const struct wire_events wire_events = {
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_eof = on_over,
	.on_reset = on_over,
};

static struct mail *mail_of(const struct client *c)
{
	return &W->mails[c->mail];
}

/* --- the end of a try ----------------------------------------------------- */

static bool wants(const struct mail *m, int rcpt)
{
	return !(m->acked & 1U << rcpt);
}

static bool is_all_acked(const struct mail *m)
{
	return m->acked == (1U << m->n_rcpts) - 1;
}

static void plan_next(struct client *c)
{
	struct mail *m = mail_of(c);
	int64_t wait = MINUTE << MX_MIN(m->tries, 6U);

	m->next_us = NEVER;
	if (is_all_acked(m) || m->tries >= TRIES_MAX)
		return;
	m->next_us = sim_now_us() + sim_between(wait / 2, wait);
	sim_schedule(&c->event, m->next_us - sim_now_us());
}

/* The wire is closed by whoever calls. */
static void end_try(struct client *c)
{
	struct mail *m = mail_of(c);

	m->n_unsure += m->dot_sent;
	m->under_way = m->dot_sent = false;
	c->wire = NULL;
	buf_done(&c->in);
	buf_done(&c->out);
	sim_cancel(&c->event);
	plan_next(c);
}

static void hang_up(struct client *c, bool rudely)
{
	if (rudely)
		wire_reset(c->wire);
	else
		wire_close(c->wire);
	end_try(c);
}

static void on_over(void *owner)
{
	hang_up(owner, false);
}

/* --- out ------------------------------------------------------------------ */

static void flush(struct client *c)
{
	size_t n = wire_send(c->wire, buf_slice(&c->out));

	buf_consume(&c->out, n);
}

static void on_room(void *owner)
{
	flush(owner);
}

static void put(struct client *c, const char *before, const char *what,
		const char *after)
{
	buf_printf(&c->out, "%s%s%s\r\n", before, what, after);
}

static int next_rcpt(const struct client *c, int from)
{
	while (from < mail_of(c)->n_rcpts && !wants(mail_of(c), from))
		from++;
	return from;
}

static void put_content(struct client *c)
{
	struct slice rest;
	struct buf all;

	buf_init(&all, 8 << 20);
	ledger_content(c->mail, &all);
	rest = buf_slice(&all);
	while (rest.n) {
		size_t n = (size_t)slice_index(rest, '\n') + 1;

		if (rest.p[0] == '.')
			buf_append_str(&c->out, ".");
		buf_append_slice(&c->out, slice_head(rest, n));
		rest = slice_skip(rest, n);
	}
	buf_done(&all);
	buf_append_str(&c->out, ".\r\n");
}

/* What is said when that stage begins. */
static void begin(struct client *c, enum stage stage)
{
	struct mail *m = mail_of(c);
	char text[64];

	c->stage = stage;
	switch (stage) {
	case STAGE_EHLO:
		put(c, "EHLO ", "mta.sender.test", "");
		break;
	case STAGE_MAIL:
		ledger_sender(c->mail, text);
		put(c, "MAIL FROM:<", text, ">");
		break;
	case STAGE_RCPT:
		ledger_rcpt(c->mail, c->rcpt, text);
		put(c, "RCPT TO:<", text, ">");
		break;
	case STAGE_DATA:
		put(c, "DATA", "", "");
		break;
	case STAGE_DOT:
		put_content(c);
		m->dot_sent = true;
		break;
	default:
		put(c, "QUIT", "", "");
		break;
	}
}

/* --- in ------------------------------------------------------------------- */

static void take_ack(struct client *c, const char *line)
{
	struct mail *m = mail_of(c);

	m->dot_sent = false;
	if (line[0] != '2')
		return;
	m->acked |= m->asked;
	m->n_acked++;
	m->acked_us = sim_now_us();
	say("mail %d is acknowledged: %s", c->mail, line);
}

static void go_to_rcpt(struct client *c, int from)
{
	c->rcpt = next_rcpt(c, from);
	if (c->rcpt < mail_of(c)->n_rcpts)
		begin(c, STAGE_RCPT);
	else
		begin(c, mail_of(c)->asked ? STAGE_DATA : STAGE_QUIT);
}

/* Valid mail for users that are known: no trouble of ours is a 5xx. */
static void judge_reply(const struct client *c, const char *line)
{
	if (line[0] == '5')
		broken("mail %d was refused for good, at stage %d: %s", c->mail,
		       c->stage, line);
	if (line[0] == '4')
		say("mail %d is deferred: %s", c->mail, line);
}

static void take_reply(struct client *c, const char *line)
{
	bool good = line[0] == '2' || line[0] == '3';

	judge_reply(c, line);
	switch (c->stage) {
	case STAGE_GREETING:
		begin(c, good ? STAGE_EHLO : STAGE_QUIT);
		break;
	case STAGE_EHLO:
		begin(c, good ? STAGE_MAIL : STAGE_QUIT);
		break;
	case STAGE_MAIL:
		if (good)
			go_to_rcpt(c, 0);
		else
			begin(c, STAGE_QUIT);
		break;
	case STAGE_RCPT:
		if (good)
			mail_of(c)->asked |= (uint8_t)(1U << c->rcpt);
		go_to_rcpt(c, c->rcpt + 1);
		break;
	case STAGE_DATA:
		begin(c, good ? STAGE_DOT : STAGE_QUIT);
		break;
	case STAGE_DOT:
		take_ack(c, line);
		begin(c, STAGE_QUIT);
		break;
	case STAGE_QUIT:
		break;
	}
}

static bool next_line(struct client *c, char line[256])
{
	struct slice all = buf_slice(&c->in);
	ptrdiff_t end = slice_index(all, '\n');

	if (end < 0)
		return false;
	snprintf(line, 256, "%.*s", (int)MX_MIN(end - 1, 250), all.p);
	buf_consume(&c->in, (size_t)end + 1);
	return true;
}

static size_t on_bytes(void *owner, struct slice bytes)
{
	struct client *c = owner;
	char line[256];

	buf_append_slice(&c->in, bytes);
	while (next_line(c, line)) {
		if (line[0] && line[3] == '-')
			continue;
		if (c->stage == STAGE_QUIT) {
			hang_up(c, false);
			return bytes.n;
		}
		take_reply(c, line);
		if (c->stage == c->vanish_at && sim_between(0, 1)) {
			flush(c);
			hang_up(c, sim_between(0, 1));
			return bytes.n;
		}
	}
	sim_schedule(&c->event, PATIENCE_S * SECOND);
	flush(c);
	return bytes.n;
}

/* --- a try ---------------------------------------------------------------- */

static void call(struct client *c)
{
	struct mail *m = mail_of(c);
	struct wire_options o = {
		.latency_us = sim_between(100, 30 * MS),
		.segment = sim_between(0, 3) ? 0 : (size_t)sim_between(1, 1500),
		.from = {{4, {203, 0, 113, 0}}, 40000},
		.to = {{4, {10, 0, 0, 2}}, 25},
	};

	o.from.addr.bytes[3] = (uint8_t)(1 + c->mail % 17);
	m->tries++;
	m->asked = 0;
	if (!wire_call(&o, &c->wire)) {
		c->wire = NULL;
		plan_next(c);
		return;
	}
	m->under_way = true;
	m->began_us = sim_now_us();
	c->stage = STAGE_GREETING;
	c->vanish_at =
		sim_between(0, 9) ? STAGE_QUIT : (enum stage)sim_between(0, 5);
	wire_own(c->wire, NULL, &wire_events, c);
	sim_schedule(&c->event, PATIENCE_S * SECOND);
}

static void run_client(struct sim_event *e)
{
	struct client *c = MX_CONTAINER_OF(e, struct client, event);

	if (c->wire)
		hang_up(c, true); /* out of patience */
	else
		call(c);
}

void client_start_all(void)
{
	clients = mem_array((size_t)W->n_mails, sizeof(*clients));
	for (int i = 0; i < W->n_mails; i++) {
		struct client *c = &clients[i];

		c->mail = i;
		buf_init(&c->in, 64 * 1024);
		buf_init(&c->out, 16 << 20);
		sim_event_init(&c->event, SIM_WORLD, NULL, run_client);
		if (W->mails[i].next_us != NEVER)
			sim_schedule(&c->event,
				     W->mails[i].next_us - sim_now_us());
	}
}

/* The daemon stops in order: who is connected sees it hang up later. */
void client_forget_all(void)
{
	for (int i = 0; i < W->n_mails; i++) {
		struct client *c = &clients[i];

		if (c->wire)
			hang_up(c, true);
		sim_cancel(&c->event);
		buf_done(&c->in);
		buf_done(&c->out);
	}
	mem_free(clients);
}
