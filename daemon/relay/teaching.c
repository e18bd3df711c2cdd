/*
 * What a delivery says of who is ours. Only what was said about a recipient
 * itself counts: a refused MAIL, a refused content and whatever is heard
 * while the breaker is open, or before the primary has taken anything, say
 * nothing of it.
 */
#include <stdio.h>

#include "mxhold/relay/delivery.h"

static const struct smtp_reply *
word_on(const struct delivery *d, const struct session_result *result, size_t i)
{
	const struct outcome_rcpt *r = &d->rcpts[d->batch_rcpt[i]].judged;

	if (r->verdict == VERDICT_DELIVERED)
		return &result->final;
	if (smtp_reply_class(&result->mail) == 2 &&
	    smtp_reply_class(&result->rcpts[i]) == 5 &&
	    !breaker_is_open(&d->lane->breaker) &&
	    !window_is_canary(&d->lane->window))
		return &result->rcpts[i];
	return NULL;
}

void teaching_tell(const struct delivery *d,
		   const struct session_result *result)
{
	const struct relay_parts *parts = &d->relay->parts;

	if (!parts->on_rcpt || !d->lane || d->lane->is_report ||
	    d->msg.env.is_report)
		return;
	for (size_t i = 0; i < result->n_rcpts; i++) {
		const struct recipient *r =
			&d->rcpts[d->batch_rcpt[i]].rcpt->rcpt;
		const struct smtp_reply *reply = word_on(d, result, i);
		char domain[256];

		snprintf(domain, sizeof(domain), "%.*s", (int)r->domain.n,
			 r->domain.n ? r->domain.p : "");
		if (reply)
			parts->on_rcpt(parts->data, domain, r->address, reply);
	}
}
