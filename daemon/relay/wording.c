/*
 * What is said of a message to the server that takes it: whom to, and in
 * which form.
 */
#include <string.h>

#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"
#include "mxhold/relay/delivery.h"

bool wording_is_next(const struct delivery_rcpt *r)
{
	return !r->settled && (!r->tried || r->judged.verdict == VERDICT_AGAIN);
}

void wording_batch(struct delivery *d, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_rcpts && n < max; i++) {
		if (!wording_is_next(&d->rcpts[i]))
			continue;
		d->batch_rcpt[n] = (uint16_t)i;
		d->batch[n++] = d->rcpts[i].rcpt->rcpt;
	}
	d->send.rcpts = d->batch;
	d->send.n_rcpts = n;
}

/* RFC 6531 3.4: a message whose envelope and header are ASCII needs none. */
static bool needs_utf8(const struct delivery *d)
{
	const struct envelope *env = &d->msg.env;

	if (!env->smtputf8)
		return false;
	if (env->utf8_header || !text_is_ascii(d->send.sender))
		return true;
	for (size_t i = 0; i < d->send.n_rcpts; i++) {
		if (!text_is_ascii(d->batch[i].address))
			return true;
	}
	return false;
}

/* RFC 6531 3.2: A-labels are not internationalised. The local part has no
 * other form; *address stays as it is then, and when there is no room. */
static void to_a_labels(struct arena *a, struct slice *address)
{
	struct address parsed;
	char domain[DOMAIN_MAX];
	struct slice copy = slice_make(NULL, 0);
	struct buf text;
	size_t n;

	if (text_is_ascii(*address) ||
	    address_parse(*address, false, &parsed) != ADDRESS_OK ||
	    parsed.literal || !parsed.domain.n ||
	    domain_canonical(parsed.domain, domain))
		return;
	n = address->n - parsed.domain.n; /* with its "@" */
	if (!text_is_ascii(slice_head(*address, n)))
		return;
	buf_init(&text, ADDRESS_MAX);
	if (buf_append_slice(&text, slice_head(*address, n)) == 0 &&
	    buf_append_str(&text, domain) == 0)
		copy = arena_dup(a, buf_slice(&text));
	if (copy.p)
		*address = copy;
	buf_done(&text);
}

static void spell_out(struct delivery *d)
{
	to_a_labels(&d->arena, &d->send.sender);
	for (size_t i = 0; i < d->send.n_rcpts; i++)
		to_a_labels(&d->arena, &d->batch[i].address);
}

void wording_fill(struct delivery *d, const struct smtp_ehlo *ehlo)
{
	const struct envelope *env = &d->msg.env;
	size_t max = DELIVERY_RCPTS_MAX;

	d->send = (struct smtp_send){
		.sender = env->sender,
		.size = d->msg.size,
		.envid = env->envid,
		.ret = env->ret,
		.body = env->body,
		.eight_bit = env->eight_bit,
		.requiretls = env->requiretls && !env->tls_optional,
	};
	if (ehlo->rcpt_max) /* RFC 9422 */
		max = MX_MIN(max, (size_t)ehlo->rcpt_max);
	wording_batch(d, max);
	if (env->smtputf8 && !(ehlo->ext & EXT_SMTPUTF8))
		spell_out(d);
	d->send.smtputf8 =
		needs_utf8(d) || (env->smtputf8 && ehlo->ext & EXT_SMTPUTF8);
}

uint32_t wording_needs(const struct smtp_send *m)
{
	uint32_t needs = 0;

	if (m->eight_bit)
		needs |= EXT_8BITMIME;
	if (m->smtputf8)
		needs |= EXT_SMTPUTF8;
	if (m->body == BODY_BINARYMIME)
		needs |= EXT_BINARYMIME | EXT_CHUNKING;
	if (m->requiretls)
		needs |= EXT_REQUIRETLS;
	return needs;
}
