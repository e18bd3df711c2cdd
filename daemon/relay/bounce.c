#include "mxhold/relay/bounce.h"

#include <stdio.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"

enum {
	REPORT_MAX = 4 * 1024 * 1024
};

struct bounce {
	struct job_add add;
	struct envelope env;
	struct recipient to;
	char domain[DOMAIN_MAX];
	char *sender;
};

const char *bounce_action_name(enum bounce_action a)
{
	switch (a) {
	case BOUNCE_DROP:
		return "none";
	case BOUNCE_HOLD:
		return "quarantine";
	case BOUNCE_REPORT:
		return "report";
	}
	return "unknown";
}

int bounce_domain(struct slice sender, char out[DOMAIN_MAX])
{
	struct address a;

	if (address_parse(sender, false, &a) != ADDRESS_OK || a.literal ||
	    !a.domain.n)
		return -1;
	return domain_canonical(a.domain, out);
}

enum bounce_action bounce_otherwise(const struct config_bounce *c)
{
	return c->otherwise_drop ? BOUNCE_DROP : BOUNCE_HOLD;
}

enum bounce_action bounce_decide(const struct config_bounce *c,
				 const struct envelope *env, uint8_t notify)
{
	char domain[DOMAIN_MAX];

	if (env->is_report || !dsn_is_wanted(env, notify, DSN_FAILED))
		return BOUNCE_DROP;
	if (c->send != BOUNCE_ALL || c->route == BOUNCE_NOWHERE ||
	    bounce_domain(env->sender, domain))
		return bounce_otherwise(c);
	return BOUNCE_REPORT;
}

enum bounce_action bounce_decide_told(const struct config_bounce *c,
				      const struct envelope *env,
				      uint8_t notify)
{
	struct config_bounce all = *c;

	all.send = BOUNCE_ALL;
	return bounce_decide(&all, env, notify);
}

bool bounce_wants_delayed(const struct config_bounce *c)
{
	return c->delay_dsn > 0 && c->send == BOUNCE_ALL &&
	       c->route != BOUNCE_NOWHERE;
}

bool bounce_wants_relayed(const struct config_bounce *c,
			  const struct envelope *env, uint8_t notify)
{
	return c->send == BOUNCE_ALL && c->route != BOUNCE_NOWHERE &&
	       !env->is_report && dsn_is_wanted(env, notify, DSN_RELAYED);
}

/* --- the report -------------------------------------------------------- */

/* The header with its empty line, or as many whole lines as there are. */
static struct slice header_of(struct slice head)
{
	size_t end = 0;

	head = slice_head(head, BOUNCE_CONTENT_MAX);
	for (size_t i = 1; i < head.n; i++) {
		if (head.p[i - 1] != '\r' || head.p[i] != '\n')
			continue;
		if (i - 1 == end)
			return slice_head(head, i + 1);
		end = i + 1;
	}
	return slice_head(head, end);
}

/* "mx1.example.com[192.0.2.1]:25" -> "mx1.example.com". */
static struct slice remote_name(struct slice remote)
{
	ptrdiff_t bracket = slice_index(remote, '[');

	return bracket > 0 ? slice_head(remote, (size_t)bracket) : remote;
}

static void fill_rcpt(struct dsn_recipient *out, const struct bounce_rcpt *r,
		      int64_t now_ms)
{
	*out = (struct dsn_recipient){
		.address = r->rcpt->rcpt.address,
		.orcpt = r->rcpt->rcpt.orcpt,
		.action = r->action,
		.remote_mta = remote_name(r->remote),
		.diagnostic = r->diagnostic,
		.last_attempt_ms = r->remote.n ? now_ms : 0,
		.retry_until_ms = r->retry_until_ms,
	};
	snprintf(out->status, sizeof(out->status), "%s", r->status);
	if (!out->last_attempt_ms)
		out->last_attempt_ms = r->rcpt->last_attempt_ms;
}

static bool any_failed(const struct bounce_of *of)
{
	for (size_t i = 0; i < of->n_rcpts; i++) {
		if (of->rcpts[i].action == DSN_FAILED)
			return true;
	}
	return false;
}

static int build(struct bounce *b, const struct bounce_of *of,
		 struct dsn_recipient *rcpts)
{
	const struct config *c = of->config;
	struct dsn dsn = {
		.hostname = c->hostname,
		.from = c->bounce.from,
		.now_ms = of->now_ms,
		.unique = random_u64(),
		.original = &of->message->env,
		.rcpts = rcpts,
		.n_rcpts = of->n_rcpts,
		.seven_bit = true, /* what the way back takes is unknown */
	};

	for (size_t i = 0; i < of->n_rcpts; i++)
		fill_rcpt(&rcpts[i], &of->rcpts[i], of->now_ms);
	id_format(of->message->id, dsn.qid);
	/* What had to be kept secret on its way is not sent back (RFC 8689 5).
	 */
	dsn.full = of->message->env.ret == DSN_RET_FULL && of->whole &&
		   !of->message->env.requiretls &&
		   of->head.n <= BOUNCE_CONTENT_MAX && any_failed(of);
	dsn.content = dsn.full ? of->head : header_of(of->head);
	if (dsn_build(&b->add.body, &dsn) < 0)
		return -1;
	b->env.smtputf8 = dsn_is_utf8(&dsn);
	b->env.eight_bit = !text_is_ascii(buf_slice(&b->add.body));
	return 0;
}

/* From nobody, to the sender alone. */
static void address_it(struct bounce *b, const struct bounce_of *of)
{
	struct slice sender = of->message->env.sender;

	b->sender = mem_strndup(sender.p, sender.n);
	b->to = (struct recipient){
		.address = slice_make(b->sender, sender.n),
		.domain = slice_str(b->domain),
		.notify = DSN_NOTIFY_NEVER,
	};
	b->env.is_report = true;
	b->env.requiretls = of->message->env.requiretls;
	b->env.arrived_at_ms = of->now_ms;
	b->env.protocol = SLICE("ESMTP");
	b->env.body = b->env.eight_bit ? BODY_8BITMIME : BODY_UNSAID;
	b->env.rcpts = &b->to;
	b->env.n_rcpts = 1;
	b->add.env = &b->env;
	b->add.id_at = SIZE_MAX;
	b->add.report_dest = true;
	b->add.expire_ms = of->now_ms + BOUNCE_LIFE_MS;
	b->add.job.kind = JOB_ADD;
}

struct job_add *bounce_new(const struct bounce_of *of)
{
	struct bounce *b = mem_alloc(sizeof(*b));
	struct dsn_recipient *rcpts = mem_array(of->n_rcpts, sizeof(*rcpts));
	int rc = bounce_domain(of->message->env.sender, b->domain);

	buf_init(&b->add.body, REPORT_MAX);
	if (!rc)
		rc = build(b, of, rcpts);
	mem_free(rcpts);
	if (rc) {
		bounce_free(&b->add);
		return NULL;
	}
	address_it(b, of);
	return &b->add;
}

void bounce_free(struct job_add *report)
{
	struct bounce *b;

	if (!report)
		return;
	b = MX_CONTAINER_OF(report, struct bounce, add);
	buf_done(&b->add.body);
	mem_free(b->sender);
	mem_free(b);
}
