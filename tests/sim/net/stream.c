/*
 * net/stream.h over a wire. The same promises in the same order as the real
 * one: no callback from within a call, writes of one turn leave together, one
 * read is kept in spite of a pause, an EOF waits until all was taken.
 *
 * TLS is a pretence: the client says HELLO, the server DONE or FAIL, and what
 * follows is as clear as before.
 */
#include "mxhold/net/stream.h"

#include <string.h>

#include "loop_inside.h"
#include "wire.h"

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

enum {
	OUT_MAX = 64 * 1024 * 1024,
	FINISH_FLUSH_MS = 5000,
	FINISH_DRAIN_MS = 2000,
	TOKEN = 6,
};

#define TLS_HELLO SLICE("\026HELO\n")
#define TLS_DONE  SLICE("\026DONE\n")
#define TLS_FAIL  SLICE("\026FAIL\n")

enum stream_state {
	STREAM_OPEN,
	STREAM_ENDED,    /* on_end was called; waits for the owner */
	STREAM_FLUSHING, /* finish: what is queued goes out */
	STREAM_DRAINING, /* finish: shut down, waits for the peer's end */
	STREAM_CLOSED    /* freed in its last turn */
};

enum tls_state {
	TLS_NONE,
	TLS_WAITS, /* for the other's token */
	TLS_UP
};

struct stream {
	struct sim_event turn, timer;
	struct loop *loop;
	struct wire_end *wire;
	const struct stream_events *events;
	void *data;
	enum stream_state state;
	enum tls_state tls;
	bool is_tls_server;
	struct tls_info info;
	struct buf in, out, token;
	size_t discarded;
	bool paused, giving, again, switched;
	bool read_over; /* the peer's end was seen */
	bool drain_due;
	bool end_due, end_waits;
	enum stream_end end;
	const char *why;
};

static void run_turn(struct sim_event *e);
static void run_timer(struct sim_event *e);
static size_t on_bytes(void *owner, struct slice bytes);
static void on_room(void *owner);
static void on_eof(void *owner);
static void on_reset(void *owner);

static const struct wire_events wire_events = {
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_eof = on_eof,
	.on_reset = on_reset,
};

struct stream *stream_new(struct loop *l, int fd,
			  const struct stream_events *events, void *data,
			  struct error *err)
{
	struct wire_end *wire = sim_fd_take(fd);
	struct stream *s;

	if (!wire) {
		error_set(err, "not a connected stream socket");
		return NULL;
	}
	s = mem_alloc(sizeof(*s));
	s->loop = l;
	s->wire = wire;
	s->events = events;
	s->data = data;
	buf_init(&s->in, 2 * WIRE_WINDOW);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->token, TOKEN);
	sim_event_init(&s->turn, SIM_TURN, l, run_turn);
	sim_event_init(&s->timer, SIM_TIMER, l, run_timer);
	l->n_owned++;
	l->n_alive++;
	wire_own(wire, l, &wire_events, s);
	return s;
}

/* --- the end ------------------------------------------------------------- */

static void destroy(struct stream *s)
{
	s->state = STREAM_CLOSED;
	wire_close(s->wire);
	sim_cancel(&s->timer);
	sim_schedule(&s->turn, 0);
}

static void free_stream(struct stream *s)
{
	buf_done(&s->in);
	buf_done(&s->out);
	buf_done(&s->token);
	s->loop->n_alive--;
	mem_free(s);
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	MX_ASSERT(s->state == STREAM_OPEN || s->state == STREAM_ENDED);
	s->loop->n_owned--;
	destroy(s);
}

static void post(struct stream *s)
{
	if (s->state != STREAM_CLOSED && !sim_is_scheduled(&s->turn))
		sim_schedule(&s->turn, 0);
}

static void fail(struct stream *s, enum stream_end how, const char *why)
{
	if (s->state != STREAM_OPEN || (s->end_due && !s->end_waits))
		return;
	s->end_due = true;
	s->end_waits = how == STREAM_EOF;
	s->end = how;
	s->why = why;
	post(s);
}

static void run_timer(struct sim_event *e)
{
	struct stream *s = MX_CONTAINER_OF(e, struct stream, timer);

	if (s->state == STREAM_OPEN)
		fail(s, STREAM_TIMEOUT, "the time is up");
	else if (s->state != STREAM_ENDED)
		destroy(s);
}

void stream_deadline(struct stream *s, int64_t after_ms)
{
	if (s->state != STREAM_OPEN)
		return;
	if (after_ms <= 0)
		sim_cancel(&s->timer);
	else
		sim_schedule(&s->timer, after_ms * 1000);
}

void stream_watch(struct stream *s, int64_t silence_ms)
{
	if (s->state == STREAM_OPEN && silence_ms > 0)
		wire_watch(s->wire, silence_ms * 1000);
}

void stream_finish(struct stream *s)
{
	MX_ASSERT(s->state == STREAM_OPEN || s->state == STREAM_ENDED);
	if (s->end_due && s->end != STREAM_EOF && s->end != STREAM_TLS_FAILED) {
		stream_close(s);
		return;
	}
	s->state = STREAM_FLUSHING;
	s->loop->n_owned--;
	if (!s->giving) /* else the owner still looks at it */
		buf_done(&s->in);
	if (s->tls == TLS_WAITS) /* nobody could read it */
		buf_done(&s->out);
	sim_schedule(&s->timer, FINISH_FLUSH_MS * 1000);
	wire_resume(s->wire);
	post(s);
}

static void finish_turn(struct stream *s)
{
	if (s->state == STREAM_FLUSHING) {
		if (s->out.n > 0)
			return;
		s->state = STREAM_DRAINING;
		wire_shutdown(s->wire);
		sim_schedule(&s->timer, FINISH_DRAIN_MS * 1000);
	}
	if (s->read_over)
		destroy(s);
}

/* --- to the owner -------------------------------------------------------- */

static bool can_give(const struct stream *s)
{
	return s->state == STREAM_OPEN && !s->paused &&
	       (!s->end_due || s->end_waits);
}

static size_t give_once(struct stream *s, struct slice bytes)
{
	size_t n;

	s->again = s->switched = false;
	s->giving = true;
	n = s->events->on_data(s->data, bytes);
	s->giving = false;
	MX_ASSERT(n <= bytes.n);
	if (s->switched) {
		s->discarded += bytes.n - n;
		return bytes.n;
	}
	if (n < bytes.n && !s->again)
		s->paused = true;
	return n;
}

static size_t give(struct stream *s, struct slice bytes)
{
	size_t done = 0;
	int idle = 0;

	while (done < bytes.n && can_give(s)) {
		size_t n = give_once(s, slice_skip(bytes, done));

		done += n;
		idle = n == 0 ? idle + 1 : 0;
		if (idle < 2)
			continue;
		if (s->state == STREAM_OPEN)
			post(s);
		break;
	}
	return done;
}

static void keep(struct stream *s, struct slice bytes)
{
	if (s->state == STREAM_OPEN && buf_append_slice(&s->in, bytes) < 0)
		fail(s, STREAM_ERROR, "no memory for input");
}

static void read_pending(struct stream *s)
{
	size_t n;

	if (s->in.n == 0 || !can_give(s))
		return;
	n = give(s, buf_slice(&s->in));
	if (s->state == STREAM_CLOSED)
		return;
	buf_consume(&s->in, MX_MIN(n, s->in.n));
	if (s->in.n == 0 && s->state == STREAM_OPEN)
		wire_resume(s->wire);
}

static void report_drained(struct stream *s)
{
	if (!s->drain_due || s->out.n > 0)
		return;
	s->drain_due = false;
	if (s->events->on_drained)
		s->events->on_drained(s->data);
}

static void report_end(struct stream *s)
{
	if (!s->end_due || (s->end_waits && (s->in.n > 0 || s->paused)))
		return;
	s->state = STREAM_ENDED;
	sim_cancel(&s->timer);
	if (s->end != STREAM_EOF)
		buf_done(&s->out);
	s->events->on_end(s->data, s->end, s->why);
}

static void flush(struct stream *s)
{
	size_t n;

	if (s->out.n == 0)
		return;
	n = wire_send(s->wire, buf_slice(&s->out));
	buf_consume(&s->out, n);
	if (s->out.n == 0)
		buf_done(&s->out);
}

static void run_turn(struct sim_event *e)
{
	struct stream *s = MX_CONTAINER_OF(e, struct stream, turn);

	if (s->state == STREAM_CLOSED) {
		free_stream(s);
		return;
	}
	if (s->tls != TLS_WAITS)
		flush(s);
	if (s->state == STREAM_FLUSHING || s->state == STREAM_DRAINING) {
		finish_turn(s);
		return;
	}
	if (s->state == STREAM_OPEN)
		read_pending(s);
	if (s->state == STREAM_OPEN || s->state == STREAM_ENDED)
		report_drained(s);
	if (s->state == STREAM_OPEN)
		report_end(s);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	s->again = false;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
	s->again = true;
	if (s->state == STREAM_OPEN && !s->giving)
		post(s);
}

/* --- from the wire ------------------------------------------------------- */

/* How many bytes belong to the token. */
static size_t take_token(struct stream *s, struct slice bytes)
{
	struct slice part = slice_head(bytes, TOKEN - s->token.n);
	struct slice wanted = s->is_tls_server ? TLS_HELLO : TLS_DONE;

	buf_append_slice(&s->token, part);
	if (s->token.n < TOKEN)
		return part.n;
	if (!slice_eq(buf_slice(&s->token), wanted)) {
		fail(s, STREAM_TLS_FAILED, "the handshake failed");
		return bytes.n;
	}
	s->tls = TLS_UP;
	strcpy(s->info.version, "TLSv1.3");
	strcpy(s->info.cipher, "PRETENCE");
	if (s->is_tls_server)
		wire_send(s->wire, TLS_DONE);
	if (s->events->on_tls)
		s->events->on_tls(s->data);
	return part.n;
}

static size_t on_bytes(void *owner, struct slice bytes)
{
	struct stream *s = owner;
	size_t n = 0;

	if (s->state != STREAM_OPEN)
		return bytes.n; /* read and dropped */
	if (s->in.n > 0)
		return 0;
	if (s->tls == TLS_WAITS)
		n = take_token(s, bytes);
	n += give(s, slice_skip(bytes, n));
	keep(s, slice_skip(bytes, n));
	return bytes.n;
}

static void on_room(void *owner)
{
	post(owner);
}

static void on_eof(void *owner)
{
	struct stream *s = owner;

	s->read_over = true;
	if (s->state != STREAM_OPEN)
		post(s);
	else if (s->tls == TLS_WAITS)
		fail(s, STREAM_TLS_FAILED,
		     "the peer hung up during the TLS handshake");
	else
		fail(s, STREAM_EOF, "the peer hung up");
}

static void on_reset(void *owner)
{
	struct stream *s = owner;

	s->read_over = true;
	buf_done(&s->out);
	if (s->state != STREAM_OPEN)
		post(s);
	else
		fail(s, STREAM_ERROR, "read: connection reset by peer");
}

/* --- to the wire --------------------------------------------------------- */

static bool can_write(const struct stream *s)
{
	if (s->state == STREAM_ENDED)
		return s->end == STREAM_EOF;
	return s->state == STREAM_OPEN && (!s->end_due || s->end == STREAM_EOF);
}

void stream_write(struct stream *s, struct slice bytes)
{
	if (bytes.n == 0 || !can_write(s))
		return;
	if (buf_append_slice(&s->out, bytes) < 0) {
		fail(s, STREAM_ERROR, "no memory for output");
		return;
	}
	s->drain_due = true;
	post(s);
}

size_t stream_queued(const struct stream *s)
{
	return s->out.n;
}

size_t stream_pending(const struct stream *s)
{
	return s->in.n;
}

size_t stream_discarded(const struct stream *s)
{
	return s->discarded;
}

/* --- TLS ----------------------------------------------------------------- */

static size_t forget_input(struct stream *s)
{
	size_t n = s->giving ? 0 : s->in.n;

	s->switched = s->giving;
	if (!s->giving)
		buf_done(&s->in);
	s->discarded += n;
	return n;
}

size_t stream_start_tls_server(struct stream *s, struct tls_context *ctx)
{
	MX_ASSERT(s->tls == TLS_NONE && ctx);
	if (s->state != STREAM_OPEN)
		return 0;
	flush(s);
	s->tls = TLS_WAITS;
	s->is_tls_server = true;
	return forget_input(s);
}

size_t stream_start_tls_client(struct stream *s, struct tls_context *ctx,
			       const struct tls_peer *peer)
{
	MX_ASSERT(s->tls == TLS_NONE && ctx && peer);
	if (s->state != STREAM_OPEN)
		return 0;
	flush(s);
	wire_send(s->wire, TLS_HELLO);
	s->tls = TLS_WAITS;
	s->info.verified = peer->verify != TLS_VERIFY_MAYBE;
	return forget_input(s);
}

const struct tls_info *stream_tls(const struct stream *s)
{
	return s->tls == TLS_UP ? &s->info : NULL;
}

/* --- small questions ----------------------------------------------------- */

bool stream_peer(const struct stream *s, struct endpoint *out)
{
	*out = wire_peer(s->wire);
	return out->addr.family != 0;
}

bool stream_local(const struct stream *s, struct endpoint *out)
{
	*out = wire_local(s->wire);
	return out->addr.family != 0;
}

int stream_peer_uid(const struct stream *s MX_UNUSED, uint32_t *uid MX_UNUSED,
		    uint32_t *gid MX_UNUSED)
{
	return -1;
}
