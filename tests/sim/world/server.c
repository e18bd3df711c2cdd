/*
 * A primary: the SMTP of the other side, plainly written and apart from our
 * own, with what is wrong with it just now.
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/smtp/ehlo.h"

static size_t on_bytes(void *owner, struct slice bytes);
static void on_room(void *owner);
static void on_over(void *owner);
static void run_say(struct sim_event *e);

static const struct wire_events wire_events = {
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_eof = on_over,
	.on_reset = on_over,
};

static struct list peers = {&peers, &peers};

/* --- birth and end -------------------------------------------------------- */

static struct peer *new_peer(int primary, int host, struct wire_end *end)
{
	struct peer *p = mem_alloc(sizeof(*p));

	p->primary = primary;
	p->host = host;
	p->mail = -1;
	p->wire = end;
	p->cut_at = -1;
	buf_init(&p->in, 256 * 1024);
	buf_init(&p->out, 64 * 1024);
	buf_init(&p->content, 16 << 20);
	sim_event_init(&p->say, SIM_WORLD, NULL, run_say);
	list_append(&peers, &p->item);
	return p;
}

void peer_end_mail(struct peer *p)
{
	if (p->is_open && p->primary >= 0)
		W->primaries[p->primary].transactions--;
	p->is_open = p->in_data = false;
	p->mail = -1;
	p->rcpts = 0;
	buf_done(&p->content);
}

void peer_leave(struct peer *p)
{
	peer_end_mail(p);
	if (p->carries && p->primary >= 0)
		W->primaries[p->primary].sessions--;
	p->carries = false;
}

static void free_peer(struct peer *p)
{
	peer_leave(p);
	ledger_unsure(p->first, p->n);
	list_remove(&p->item);
	sim_cancel(&p->say);
	buf_done(&p->in);
	buf_done(&p->out);
	mem_free(p);
}

void peer_cut(struct peer *p, enum cut how)
{
	if (how == CUT_SILENT)
		wire_silence(p->wire);
	if (how == CUT_CLOSE)
		wire_close(p->wire);
	else
		wire_reset(p->wire);
	free_peer(p);
}

static void on_over(void *owner)
{
	peer_cut(owner, CUT_CLOSE);
}

/* --- out ------------------------------------------------------------------ */

static int64_t think_us(const struct peer *p)
{
	if (p->primary >= 0 && truth_has(p->primary, FAULT_SLOW))
		return sim_between(SECOND, 20 * SECOND);
	return sim_between(20, 2000);
}

void peer_say(struct peer *p, const char *text)
{
	buf_append_str(&p->out, text);
	buf_append_str(&p->out, "\r\n");
	if (!sim_is_scheduled(&p->say))
		sim_schedule(&p->say, think_us(p));
}

void peer_say_and_close(struct peer *p, const char *text)
{
	peer_leave(p);
	p->is_closing = true;
	peer_say(p, text);
}

static void flush(struct peer *p)
{
	size_t n = wire_send(p->wire, buf_slice(&p->out));

	buf_consume(&p->out, n);
	if (p->out.n == 0 && p->is_closing)
		peer_cut(p, CUT_CLOSE);
}

static void run_say(struct sim_event *e)
{
	flush(MX_CONTAINER_OF(e, struct peer, say));
}

static void on_room(void *owner)
{
	flush(owner);
}

/* --- in ------------------------------------------------------------------- */

/* "\r\n" ends a line, whatever else stands in it. */
static bool next_line(struct peer *p, struct slice *line)
{
	struct slice all = buf_slice(&p->in);
	const char *end = all.n ? memmem(all.p, all.n, "\r\n", 2) : NULL;

	if (!end)
		return false;
	*line = slice_head(all, (size_t)(end - all.p));
	return true;
}

static void take_data_line(struct peer *p, struct slice line)
{
	if (slice_eq(line, SLICE("."))) {
		p->in_data = false;
		peer_take_content(p);
		return;
	}
	if (line.n && line.p[0] == '.')
		line = slice_skip(line, 1);
	buf_append_slice(&p->content, line);
	buf_append_str(&p->content, "\r\n");
}

static void take_chunk(struct peer *p)
{
	size_t n = MX_MIN(p->chunk_left, p->in.n);

	buf_append_slice(&p->content, slice_head(buf_slice(&p->in), n));
	buf_consume(&p->in, n);
	p->chunk_left -= n;
	if (p->chunk_left == 0)
		peer_take_chunk(p);
}

static void take_token(struct peer *p)
{
	bool fails = p->primary >= 0 &&
		     W->primaries[p->primary].hosts[p->host].fails_tls;

	if (p->in.n < 6)
		return;
	buf_consume(&p->in, 6);
	p->wants_tls = false;
	wire_send(p->wire, fails ? SLICE("\026FAIL\n") : SLICE("\026DONE\n"));
	p->has_tls = true;
}

/* False: nothing more for now, or the peer is gone. */
static bool take_some(struct peer *p, bool *gone)
{
	struct slice line;
	bool was_data = p->in_data;
	char text[1200];

	p->gone = gone;
	if (p->is_closing || p->in.n == 0)
		return false;
	if (p->wants_tls) {
		take_token(p);
		return !p->wants_tls;
	}
	if (p->in_chunk) {
		take_chunk(p);
		return !*gone && !p->in_chunk;
	}
	if (!next_line(p, &line))
		return false;
	if (was_data) {
		struct buf copy = {.cap = 4096};

		buf_append_slice(&copy, line);
		buf_consume(&p->in, line.n + 2);
		take_data_line(p, buf_slice(&copy));
		buf_done(&copy);
	} else {
		snprintf(text, sizeof(text), "%.*s",
			 (int)MX_MIN(line.n, sizeof(text) - 1), line.p);
		buf_consume(&p->in, line.n + 2);
		peer_take_command(p, text);
	}
	return !*gone;
}

static size_t on_bytes(void *owner, struct slice bytes)
{
	struct peer *p = owner;
	bool gone = false;

	if (p->primary >= 0 && truth_has(p->primary, FAULT_CUTS) &&
	    sim_between(0, 9) == 0) {
		peer_cut(p, (enum cut)sim_between(0, CUT_SILENT));
		return bytes.n;
	}
	if (!p->is_deaf)
		buf_append_slice(&p->in, bytes);
	while (take_some(p, &gone))
		continue;
	return bytes.n;
}

/* --- who calls ------------------------------------------------------------ */

int server_sessions(int primary, int64_t since_us)
{
	int n = 0;

	LIST_FOR_EACH (it, &peers) {
		const struct peer *p = MX_CONTAINER_OF(it, struct peer, item);

		n += p->primary == primary && p->carries &&
		     p->mail_us >= since_us;
	}
	return n;
}

static size_t count_peers(int primary)
{
	size_t n = 0;

	LIST_FOR_EACH (it, &peers) {
		struct peer *p = MX_CONTAINER_OF(it, struct peer, item);

		n += p->primary == primary && !p->is_closing;
	}
	return n;
}

static void greet(struct peer *p)
{
	char text[160];

	if (truth_has(p->primary, FAULT_BANNER_554))
		peer_say_and_close(p, "554 5.3.2 no mail service here");
	else if (truth_has(p->primary, FAULT_BANNER_421))
		peer_say_and_close(p, "421 4.3.2 starting, come back");
	else if (truth_has(p->primary, FAULT_CROWDED) &&
		 count_peers(p->primary) > 2)
		peer_say_and_close(p, "421 4.7.0 too many connections");
	else {
		snprintf(text, sizeof(text), "220 %s ESMTP",
			 W->primaries[p->primary].hosts[p->host].name);
		peer_say(p, text);
	}
}

void server_accept(int primary, int host, struct wire_end *end)
{
	struct peer *p = new_peer(primary, host, end);

	wire_own(end, NULL, &wire_events, p);
	if (truth_has(primary, FAULT_RESETS)) {
		peer_cut(p, CUT_RESET);
		return;
	}
	p->is_deaf = truth_has(primary, FAULT_MUTE);
	if (!p->is_deaf)
		greet(p);
}

void server_reporter(struct wire_end *end)
{
	struct peer *p = new_peer(-1, 0, end);

	wire_own(end, NULL, &wire_events, p);
	peer_say(p, "220 mx.sender.test ESMTP");
}

void server_hit(const struct fault *f)
{
	bool silent = f->kind == FAULT_SILENT;

	if (f->kind > FAULT_MUTE)
		return;
	LIST_FOR_EACH_SAFE (it, &peers) {
		struct peer *p = MX_CONTAINER_OF(it, struct peer, item);

		if (p->primary == f->primary)
			peer_cut(p, silent || sim_between(0, 3) == 0
					    ? CUT_SILENT
					    : CUT_RESET);
	}
}
