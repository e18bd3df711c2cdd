#include "mxhold/base/stats.h"
#include "mxhold/receive/dialogue_parts.h"

enum {
	PRESSED_COMMAND_MS = 15 * 1000,
	PRESSED_DATA_MS = 60 * 1000,
};

/* The timer is moved only towards the past; one that fires too early looks
 * and goes on waiting, so that a command costs no timer. */
void dialogue_arm(struct dialogue *d)
{
	int64_t at_ms = d->deadline_ms, look_ms = pace_look_ms(&d->pace);

	if (look_ms && (!at_ms || look_ms < at_ms))
		at_ms = look_ms;
	if (!at_ms || (d->armed_ms && d->armed_ms <= at_ms))
		return;
	d->armed_ms = at_ms;
	timer_start(d->timer, MX_MAX(at_ms - dialogue_now_ms(d), (int64_t)0));
}

void dialogue_set_deadline(struct dialogue *d, int64_t after_ms)
{
	d->deadline_ms = dialogue_now_ms(d) + after_ms;
	dialogue_arm(d);
}

static int64_t patience_ms(const struct dialogue *d)
{
	bool in_data = smtp_server_in_data(d->server);
	int64_t ms = in_data ? d->config->smtp.data_timeout
			     : d->config->smtp.command_timeout;

	if (!d->worker->is_pressed)
		return ms;
	return MX_MIN(ms, in_data ? PRESSED_DATA_MS : PRESSED_COMMAND_MS);
}

void dialogue_renew_deadline(struct dialogue *d)
{
	if (d->state == DIALOGUE_TALK)
		dialogue_set_deadline(d, patience_ms(d));
}

void dialogue_hurry(struct list *in_worker)
{
	struct dialogue *d =
		MX_CONTAINER_OF(in_worker, struct dialogue, in_worker);

	if (d->state == DIALOGUE_PREGREET)
		dialogue_greet(d);
	else if (d->state == DIALOGUE_TALK && d->deadline_ms &&
		 d->deadline_ms > dialogue_now_ms(d) + patience_ms(d))
		dialogue_renew_deadline(d);
}

static void time_out(struct dialogue *d, const char *why)
{
	switch (d->state) {
	case DIALOGUE_PROXY:
		dialogue_fail(d, "no PROXY header came");
		break;
	case DIALOGUE_PREGREET:
		dialogue_greet(d);
		break;
	case DIALOGUE_TLS:
		dialogue_fail(d, "TLS handshake took too long");
		break;
	case DIALOGUE_TALK:
		counter_add(&stats.sessions_failed, 1);
		if (stream_queued(d->stream) > 0) {
			dialogue_end(d, false, "client does not read");
			break;
		}
		dialogue_shut(d, "4.4.2", why);
		dialogue_run(d);
		break;
	case DIALOGUE_NEW:
	case DIALOGUE_ADMIT:
	case DIALOGUE_ANSWER:
	case DIALOGUE_OVER:
		break; /* it is not the client who is waited for */
	}
}

void dialogue_on_timer(void *data)
{
	struct dialogue *d = data;

	d->armed_ms = 0;
	if (pace_is_slow(&d->pace, d->config->smtp.min_rate,
			 dialogue_now_ms(d))) {
		time_out(d, "too slow");
	} else if (d->deadline_ms && dialogue_now_ms(d) >= d->deadline_ms) {
		d->deadline_ms = 0;
		time_out(d, "timeout");
	} else {
		dialogue_arm(d);
	}
}
