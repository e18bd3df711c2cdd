#include "mxhold/receive/intake.h"

#include <stdio.h>

#include "mxhold/base/arena.h"
#include "mxhold/base/assert.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/mail/header.h"
#include "mxhold/mail/received.h"

enum {
	FIRST_RCPTS = 4,
	/* What one question of the machine may add beyond a whole part. */
	BODY_SLACK = 64 * 1024,
	BODY_FIRST = 2048,
	ENVELOPE_BASE = 64 * 1024,
	ENVELOPE_EACH = 2048, /* path, domain, ORCPT, rounding, doubling */
	CONGESTED = 16 * 1024 * 1024,
	/* So many of a loop may hold two whole parts; when there are more, each
	 * holds one, and a smaller one, so that a thousand who drip their
	 * content cost a tenth of what they could. */
	MANY = 32,
	SMALL_PART = 16 * CHUNK_SIZE,
};

enum flight { /* the job that is with the writer */
	FLIGHT_NONE,
	FLIGHT_PART,
	FLIGHT_ADD,
	FLIGHT_DISCARD
};

struct intake {
	struct intake_host *host;
	const struct intake_events *events; /* NULL: nobody waits any more */
	void *data;
	char sid[ID_TEXT_LEN + 1];
	enum flight flight;
	bool is_waiting; /* INTAKE_WAIT was said */
	bool is_ended;   /* commit was called */
	bool is_aborted;
	enum store_result failed; /* the first failure */
	bool is_memory_short;

	struct arena arena;
	struct envelope env;
	size_t room_rcpts;
	struct header_scan scan;
	bool is_front_settled; /* see settle_front */
	size_t trace_n;        /* octets of our trace line */
	size_t id_at;
	uint64_t size; /* octets taken, trace line included */
	struct upload up;
	struct buf body;  /* being filled */
	struct buf spare; /* memory of the part before */
	int64_t expire_ms;
	union {
		struct job_part part;
		struct job_add add;
		struct job_discard discard;
	} job;
};

static void on_report(struct job *job);
static void on_part(struct intake *in);
static void on_add(struct intake *in);
static void submit_part(struct intake *in);
static void submit_add(struct intake *in);
static void let_go(struct intake *in);

/* ---- the envelope ---- */

struct intake *intake_new(struct intake_host *host, const char *sid,
			  uint32_t max_rcpt, const struct intake_events *events,
			  void *data)
{
	struct intake *in = mem_alloc(sizeof(*in));

	in->host = host;
	in->events = events;
	in->data = data;
	in->failed = STORE_OK;
	snprintf(in->sid, sizeof(in->sid), "%s", sid);
	arena_init(&in->arena,
		   ENVELOPE_BASE + (size_t)max_rcpt * ENVELOPE_EACH);
	buf_init(&in->body, PART_SIZE + BODY_SLACK);
	buf_init(&in->spare, PART_SIZE + BODY_SLACK);
	header_scan_init(&in->scan);
	host->live++;
	return in;
}

static void intake_free(struct intake *in)
{
	struct intake_host *host = in->host;

	MX_ASSERT(in->flight == FLIGHT_NONE);
	buf_done(&in->body);
	buf_done(&in->spare);
	arena_done(&in->arena);
	mem_free(in);
	host->live--;
	if (host->on_gone)
		host->on_gone(host->data);
}

static int grow_rcpts(struct intake *in)
{
	size_t room = in->room_rcpts ? in->room_rcpts * 2 : FIRST_RCPTS;
	struct recipient *more =
		arena_alloc(&in->arena, room * sizeof(*in->env.rcpts));

	if (!more)
		return -1;
	if (in->env.n_rcpts)
		memcpy(more, in->env.rcpts,
		       in->env.n_rcpts * sizeof(*in->env.rcpts));
	in->env.rcpts = more;
	in->room_rcpts = room;
	return 0;
}

/* An empty slice stays empty; 0, or -1 without memory. */
static int keep(struct intake *in, struct slice *to, struct slice from)
{
	*to = slice_make("", 0);
	if (from.n)
		*to = arena_dup(&in->arena, from);
	return to->p ? 0 : -1;
}

int intake_add(struct intake *in, struct slice address, const char *domain,
	       const struct recipient *params)
{
	struct recipient r = {.notify = params->notify};

	if (in->env.n_rcpts == in->room_rcpts && grow_rcpts(in))
		return -1;
	if (keep(in, &r.address, address) ||
	    keep(in, &r.domain, slice_str(domain)) ||
	    keep(in, &r.orcpt, params->orcpt))
		return -1;
	in->env.rcpts[in->env.n_rcpts++] = r;
	return 0;
}

static int keep_facts(struct intake *in, const struct envelope *facts)
{
	struct envelope *env = &in->env;
	struct recipient *rcpts = env->rcpts;
	size_t n = env->n_rcpts;

	*env = *facts;
	env->rcpts = rcpts;
	env->n_rcpts = n;
	if (keep(in, &env->sender, facts->sender) ||
	    keep(in, &env->envid, facts->envid) ||
	    keep(in, &env->client_name, facts->client_name) ||
	    keep(in, &env->helo, facts->helo) ||
	    keep(in, &env->protocol, facts->protocol) ||
	    keep(in, &env->tls, facts->tls))
		return -1;
	return 0;
}

int intake_begin(struct intake *in, const struct envelope *facts,
		 const char *hostname, uint64_t size_hint)
{
	size_t expect =
		size_hint < PART_SIZE ? (size_t)size_hint + 1024 : PART_SIZE;

	buf_clear(&in->body);
	if (keep_facts(in, facts))
		return -1;
	/* What a client says of the size is believed for a little only. */
	expect = MX_MIN(expect, (size_t)64 * 1024);
	if (buf_reserve(&in->body, MX_MAX(expect, (size_t)BODY_FIRST)) ||
	    received_append(&in->body, &in->env, hostname, &in->id_at))
		return -1;
	in->trace_n = in->body.n;
	in->size = in->trace_n;
	return 0;
}

/* ---- the content ---- */

static void fail(struct intake *in, enum store_result why)
{
	if (in->failed == STORE_OK)
		in->failed = why;
	buf_done(&in->body);
}

/*
 * Text that begins without a header must not become one below our trace
 * line: an empty line parts them (RFC 5322 2.1). Known when the first line
 * is known, which is before the first part leaves.
 */
static void settle_front(struct intake *in, bool is_last_chance)
{
	char *at;

	if (in->is_front_settled || in->failed != STORE_OK)
		return;
	if (!in->scan.no_header) {
		in->is_front_settled = is_last_chance || in->scan.ended;
		return;
	}
	in->is_front_settled = true;
	if (buf_append_str(&in->body, "\r\n")) {
		in->is_memory_short = true;
		fail(in, STORE_FAILED);
		return;
	}
	in->size += 2;
	at = in->body.mem + in->body.start + in->trace_n;
	memmove(at + 2, at, in->body.n - in->trace_n - 2);
	at[0] = '\r';
	at[1] = '\n';
}

bool intake_is_congested(const struct intake_host *host)
{
	return writer_waiting(host->writer) > CONGESTED;
}

static bool is_one_of_many(const struct intake *in)
{
	return in->host->live > MANY;
}

static size_t part_size(const struct intake *in)
{
	return is_one_of_many(in) ? SMALL_PART : PART_SIZE;
}

enum intake_step intake_take(struct intake *in, struct slice bytes)
{
	MX_ASSERT(!in->is_waiting && !in->is_ended);
	if (in->failed != STORE_OK)
		return INTAKE_GO;
	if (buf_append_slice(&in->body, bytes)) {
		in->is_memory_short = true;
		fail(in, STORE_FAILED);
		return INTAKE_GO;
	}
	in->size += bytes.n;
	header_scan_feed(&in->scan, bytes);
	settle_front(in, in->body.n >= part_size(in));
	if (in->body.n < part_size(in))
		return INTAKE_GO;
	if (in->flight == FLIGHT_NONE) {
		submit_part(in);
		if (in->failed != STORE_OK || (in->body.n < part_size(in) &&
					       !intake_is_congested(in->host)))
			return INTAKE_GO;
	}
	in->is_waiting = true;
	return INTAKE_WAIT;
}

/* ---- jobs ---- */

static void submit(struct intake *in, struct job *job, enum job_kind kind)
{
	static const enum flight flights[] = {
		[JOB_PART] = FLIGHT_PART,
		[JOB_ADD] = FLIGHT_ADD,
		[JOB_DISCARD] = FLIGHT_DISCARD,
	};

	MX_ASSERT(in->flight == FLIGHT_NONE);
	in->flight = flights[kind];
	job->kind = kind;
	job->report = on_report;
	job->data = in;
	writer_submit(in->host->writer, job);
}

static void submit_part(struct intake *in)
{
	struct job_part *part = &in->job.part;
	size_t n = part_size(in);
	struct slice rest = slice_skip(buf_slice(&in->body), n);

	memset(part, 0, sizeof(*part));
	part->up = in->up;
	part->id_at = in->up.id ? SIZE_MAX : in->id_at;
	if (buf_append_slice(&in->spare, rest)) {
		in->is_memory_short = true;
		fail(in, STORE_FAILED);
		return;
	}
	buf_init(&part->body, in->body.cap);
	buf_move(&part->body, &in->body);
	buf_truncate(&part->body, n);
	buf_move(&in->body, &in->spare);
	submit(in, &part->job, JOB_PART);
}

static void submit_add(struct intake *in)
{
	struct job_add *add = &in->job.add;

	memset(add, 0, sizeof(*add));
	add->up = in->up;
	add->id_at = in->up.id ? SIZE_MAX : in->id_at;
	add->env = &in->env;
	add->message_id = slice_str(in->scan.message_id);
	add->expire_ms = in->expire_ms;
	buf_init(&add->body, in->body.cap);
	buf_move(&add->body, &in->body);
	submit(in, &add->job, JOB_ADD);
}

/* The writer's thread. */
static void on_report(struct job *job)
{
	struct intake *in = job->data;

	mailbox_post(in->host->jobs, &job->node);
}

void intake_on_note(struct mpsc_node *note)
{
	struct job *job = MX_CONTAINER_OF(note, struct job, node);
	struct intake *in = job->data;
	enum flight was = in->flight;

	in->flight = FLIGHT_NONE;
	switch (was) {
	case FLIGHT_PART:
		on_part(in);
		break;
	case FLIGHT_ADD:
		on_add(in);
		break;
	case FLIGHT_DISCARD:
		intake_free(in);
		break;
	case FLIGHT_NONE:
		MX_ASSERT(!"a report without a job");
		break;
	}
}

/* ---- the outcome ---- */

static void reply_to(const struct intake *in, enum store_result result,
		     struct smtp_reply *reply)
{
	char qid[ID_TEXT_LEN + 1];

	switch (result) {
	case STORE_OK:
		id_format(in->up.id, qid);
		smtp_reply_set(reply, 250, "2.0.0", "kept as %s", qid);
		break;
	case STORE_FULL:
		smtp_reply_set(reply, 452, "4.3.1",
			       "no room left, try again later");
		break;
	case STORE_FAILED:
	case STORE_ABSENT:
		smtp_reply_set(reply, 451, "4.3.0",
			       in->is_memory_short
				       ? "out of memory, try again later"
				       : "cannot write, try again later");
		break;
	}
}

/* The recipients, parted by commas, as many as a log line holds. */
static void log_to(struct log_line *l, const struct envelope *env)
{
	char text[256];
	size_t n = 0;

	for (size_t i = 0; i < env->n_rcpts; i++) {
		struct slice a = env->rcpts[i].address;

		if (a.n + 1 > sizeof(text) - n)
			break;
		if (n)
			text[n++] = ',';
		memcpy(text + n, a.p, a.n);
		n += a.n;
	}
	log_private(l, "to", slice_make(text, n));
}

static void log_kept(const struct intake *in)
{
	const struct envelope *env = &in->env;
	char text[INET_TEXT_MAX], qid[ID_TEXT_LEN + 1];
	struct log_line l;

	log_begin(&l, LOG_INFO, "message.kept");
	if (!l.wanted)
		return;
	id_format(in->up.id, qid);
	inet_format(&env->client.addr, text);
	log_str(&l, "qid", qid);
	log_str(&l, "sid", in->sid);
	log_str(&l, "peer", text);
	log_private(&l, "from", env->sender);
	log_to(&l, env);
	log_int(&l, "rcpts", (int64_t)env->n_rcpts);
	log_int(&l, "size", (int64_t)in->size);
	if (in->scan.message_id[0])
		log_str(&l, "msgid", in->scan.message_id);
	log_end(&l);
}

/* Is also done when the client has gone: the message is ours now. */
static void count_kept(struct intake *in)
{
	counter_add(&stats.messages_kept, 1);
	log_kept(in);
	if (in->host->on_kept)
		in->host->on_kept(in->host->data, &in->env);
}

static void finish(struct intake *in, enum store_result result)
{
	const struct intake_events *events = in->events;
	void *data = in->data;
	struct smtp_reply reply;

	reply_to(in, result, &reply);
	if (result == STORE_OK)
		intake_free(in);
	else
		let_go(in);
	if (events)
		events->on_done(data, &reply);
}

static void on_add(struct intake *in)
{
	struct job_add *add = &in->job.add;
	enum store_result result = add->job.result;

	buf_done(&add->body);
	if (result == STORE_OK) {
		in->up = add->up;
		count_kept(in);
	}
	finish(in, result);
}

/* The memory is used for the part after the next. */
static void take_part_back(struct intake *in)
{
	struct job_part *part = &in->job.part;

	if (part->job.result == STORE_OK)
		in->up = part->up;
	else
		fail(in, part->job.result);
	buf_clear(&part->body);
	if (!in->is_aborted && in->failed == STORE_OK && !is_one_of_many(in))
		buf_move(&in->spare, &part->body);
	buf_done(&part->body);
}

static void on_part(struct intake *in)
{
	take_part_back(in);
	if (in->is_aborted) {
		let_go(in);
		return;
	}
	if (in->failed == STORE_OK && in->body.n >= part_size(in))
		submit_part(in);
	if (in->is_ended && in->flight == FLIGHT_NONE) {
		if (in->failed == STORE_OK)
			submit_add(in);
		else
			finish(in, in->failed);
		return;
	}
	/* Above the limit the next report is waited for, if one is to come. */
	if (!in->is_waiting ||
	    (in->flight != FLIGHT_NONE && intake_is_congested(in->host)))
		return;
	in->is_waiting = false;
	if (in->events)
		in->events->on_ready(in->data);
}

/* Nobody wants the message any more. What is in the queue of it is taken out
 * again; the writer may still be busy with it. */
static void let_go(struct intake *in)
{
	struct job_discard *d = &in->job.discard;

	in->is_aborted = true;
	in->events = NULL;
	if (in->flight != FLIGHT_NONE)
		return;
	if (in->up.id == 0) {
		intake_free(in);
		return;
	}
	memset(d, 0, sizeof(*d));
	d->id = in->up.id;
	d->chunks = in->up.chunks;
	buf_done(&in->body);
	submit(in, &d->job, JOB_DISCARD);
}

static void finish_envelope(struct intake *in)
{
	struct envelope *env = &in->env;
	const struct header_scan *h = &in->scan;

	env->eight_bit = h->eight_bit_header || h->eight_bit_body;
	env->utf8_header = h->eight_bit_header;
	/* RFC 8689 4.1: ignored beside REQUIRETLS, or when said twice. */
	env->tls_optional = !env->requiretls && h->tls_required == 1 &&
			    h->tls_required_no == 1;
}

/* What none of the recipients could be given, now that all is known. One
 * reply is for all of them: with one that can have it the message is taken. */
static bool is_beyond_primaries(const struct intake *in, const struct lacks *l,
				struct smtp_reply *reply)
{
	const struct envelope *env = &in->env;

	if (l->size && in->size > l->size)
		smtp_reply_set(reply, 552, "5.3.4",
			       "the recipient's server takes no message so "
			       "big");
	else if (l->ext & EXT_SMTPUTF8 && env->smtputf8 && env->utf8_header)
		smtp_reply_set(reply, 554, "5.6.9",
			       "the recipient's server does not take an "
			       "internationalized header");
	else if (l->ext & EXT_8BITMIME && env->eight_bit)
		smtp_reply_set(reply, 554, "5.6.3",
			       "the recipient's server does not take 8-bit "
			       "content");
	else
		return false;
	return true;
}

bool intake_commit(struct intake *in, const struct intake_end *end,
		   struct smtp_reply *reply)
{
	MX_ASSERT(!in->is_ended && !in->is_waiting && in->env.n_rcpts > 0);
	header_scan_end(&in->scan);
	settle_front(in, true);
	if (in->failed != STORE_OK) {
		reply_to(in, in->failed, reply);
		let_go(in);
		return true;
	}
	/* RFC 5321 6.3 */
	if (in->scan.received > end->max_hops) {
		smtp_reply_set(reply, 554, "5.4.6",
			       "too many hops, this message is looping");
		let_go(in);
		return true;
	}
	finish_envelope(in);
	if (is_beyond_primaries(in, &end->lacks, reply)) {
		let_go(in);
		return true;
	}
	in->is_ended = true;
	in->expire_ms = end->expire_ms;
	if (in->flight == FLIGHT_NONE)
		submit_add(in);
	return false;
}

void intake_abort(struct intake *in)
{
	if (!in)
		return;
	in->events = NULL;
	/* RFC 5321 4.1.1.10: what was whole is kept, reader or no reader. */
	if (in->is_ended)
		return;
	let_go(in);
}
