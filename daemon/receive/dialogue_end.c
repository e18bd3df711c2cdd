#include "mxhold/base/assert.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/receive/answer.h"
#include "mxhold/receive/dialogue_parts.h"

static void log_close(const struct dialogue *d, const char *why)
{
	struct log_line l;

	answer_log_begin(d, &l, LOG_INFO, "session.close");
	log_str(&l, "why", why);
	log_int(&l, "messages", d->messages);
	log_int(&l, "refused", d->refused);
	log_int(&l, "ms", dialogue_now_ms(d) - d->opened_ms);
	log_end(&l);
}

void dialogue_bury(struct dialogue *d)
{
	struct worker *w = d->worker;

	MX_ASSERT(d->state == DIALOGUE_OVER && !d->ticket_away);
	worker_go_home(w, &d->ticket->note, NOTE_CLOSED);
	worker_detach(w, &d->in_worker);
	mem_free(d);
}

/* The one place where a connection ends; d may be gone after it. in_order:
 * what was said is written first. */
void dialogue_end(struct dialogue *d, bool in_order, const char *why)
{
	log_close(d, why);
	dialogue_enter(d, DIALOGUE_OVER);
	list_remove(&d->blocked);
	timer_free(d->timer);
	if (in_order && d->stream)
		stream_finish(d->stream);
	else
		stream_close(d->stream);
	d->stream = NULL;
	intake_abort(d->intake);
	d->intake = NULL;
	smtp_server_free(d->server);
	buf_done(&d->proxy);
	mem_free(d->xclient);
	dialogue_forget_dns(d);
	mem_free(d->held);
	d->held = NULL;
	config_unref(d->config);
	if (!d->ticket_away)
		dialogue_bury(d);
}

void dialogue_fail(struct dialogue *d, const char *why)
{
	counter_add(&stats.sessions_failed, 1);
	dialogue_end(d, false, why);
}

/* ---- stopping ---- */

static void say_goodbye(struct dialogue *d)
{
	stream_write(d->stream, SLICE("421 4.3.2 stopping\r\n"));
	dialogue_end(d, true, "stopping");
}

void dialogue_stop(struct list *in_worker)
{
	struct dialogue *d =
		MX_CONTAINER_OF(in_worker, struct dialogue, in_worker);

	d->stopping = true;
	switch (d->state) {
	case DIALOGUE_NEW:
	case DIALOGUE_PROXY:
	case DIALOGUE_ADMIT:
	case DIALOGUE_PREGREET:
		say_goodbye(d);
		break;
	case DIALOGUE_TLS:
		dialogue_end(d, false, "stopping");
		break;
	case DIALOGUE_TALK:
		dialogue_run(d);
		break;
	case DIALOGUE_ANSWER:
	case DIALOGUE_OVER:
		break;
	}
}

void dialogue_cut(struct list *in_worker)
{
	struct dialogue *d =
		MX_CONTAINER_OF(in_worker, struct dialogue, in_worker);

	if (d->state == DIALOGUE_OVER)
		return;
	if (d->state == DIALOGUE_TALK)
		say_goodbye(d);
	else
		dialogue_end(d, false, "stopping");
}
