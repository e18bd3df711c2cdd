/*
 * Who is ours: wires together the parts that do not know each other. What
 * the relay hears of recipients goes to who learns; who learns sees what the
 * prober knows of a primary; an operator's test is answered as RCPT would be.
 */
#include <stdio.h>
#include <string.h>

#include "daemon_internal.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/probe/prober.h"
#include "mxhold/receive/facts.h"
#include "mxhold/receive/learning.h"

/* ---- learning ---- */

static bool on_look(void *data, const char *primary,
		    struct learning_primary *out)
{
	struct daemon *d = data;
	struct primary_view v;

	if (!prober_view(d->prober, primary, &v))
		return false;
	out->is_up = v.health.state == HEALTH_UP;
	out->up_ms = health_up_ms(&v.health, clock_wall_ms());
	out->n_good = v.n_good;
	memcpy(out->good, v.good, sizeof(out->good));
	return true;
}

struct learning *daemon_make_learning(struct daemon *d)
{
	struct learning_parts parts = {
		.loop = d->loop,
		.directory = d->directory,
		.outbound = d->outbound,
		.config = d->config,
		.look = on_look,
		.data = d,
	};

	return learning_new(&parts);
}

void daemon_on_rcpt(void *data, const char *domain, struct slice address,
		    const struct smtp_reply *reply)
{
	struct daemon *d = data;

	learning_heard(d->learning, domain, address, reply);
}

/* ---- recipients test ---- */

struct rcpt_test {
	struct daemon *daemon;
	control_on_verdict on_done;
	void *arg;
	char address[2 * ADDRESS_MAX];
};

/* An address, or a local part of the domain. */
static bool join(char *out, size_t room, const char *domain,
		 const char *address, struct address *parsed)
{
	bool whole = strchr(address, '@') != NULL;

	snprintf(out, room, "%s%s%s", address, whole ? "" : "@",
		 whole ? "" : domain);
	return address_parse(slice_str(out), true, parsed) == ADDRESS_OK;
}

static bool is_primary_up(struct daemon *d, const struct policy_rcpt *p,
			  int64_t *up_ms)
{
	struct learning_primary view = {0};

	*up_ms = 0;
	if (!p->domain || !p->domain->primary ||
	    !on_look(d, p->domain->primary->name, &view))
		return false;
	*up_ms = view.up_ms;
	return view.is_up;
}

/* As RCPT would be answered now. False: the primary is to be asked. */
static bool look_up(struct daemon *d, const struct address *rcpt,
		    struct policy_rcpt *p)
{
	struct facts_primary primary = {.can_ask = true};
	const struct facts_of of = {
		.config = d->config,
		.directory = d->directory,
	};

	if (policy_rcpt_prepare(p, d->config, rcpt))
		return true;
	primary.is_up = is_primary_up(d, p, &primary.up_ms);
	return !facts_look_up(p, rcpt, d->look_up, &of, &primary);
}

static void judge(struct daemon *d, const struct address *rcpt,
		  struct policy_rcpt *p)
{
	int64_t up_ms;
	struct facts_of of = {
		.config = d->config,
		.directory = d->directory,
		.is_primary_up = is_primary_up(d, p, &up_ms),
	};

	if (p->verdict != POLICY_ACCEPTED)
		return;
	of.reader = reader_new(d->store);
	facts_judge(p, rcpt, &of);
	if (of.reader)
		reader_free(of.reader);
}

static void answer(struct rcpt_test *t, const struct policy_rcpt *p)
{
	static const char *const verdicts[] = {"accept", "reject", "defer"};
	char reply[REPLY_TEXT_MAX + 32];

	smtp_reply_format(&p->reply, reply, sizeof(reply));
	t->on_done(t->arg, verdicts[p->verdict], p->why, reply);
	mem_free(t);
}

static void on_told(void *data, enum told told)
{
	struct rcpt_test *t = data;
	struct address rcpt;
	struct policy_rcpt p;

	address_parse(slice_str(t->address), true, &rcpt);
	if (!policy_rcpt_prepare(&p, t->daemon->config, &rcpt))
		policy_rcpt_told(&p, told);
	judge(t->daemon, &rcpt, &p);
	answer(t, &p);
}

void daemon_test_rcpt(void *data, const char *domain, const char *address,
		      control_on_verdict on_done, void *arg)
{
	struct daemon *d = data;
	struct rcpt_test *t = mem_alloc(sizeof(*t));
	struct learning_rcpt question;
	struct address rcpt;
	struct policy_rcpt p;

	*t = (struct rcpt_test){.daemon = d, .on_done = on_done, .arg = arg};
	if (!join(t->address, sizeof(t->address), domain, address, &rcpt)) {
		on_done(arg, "reject", "not an address",
			"501 5.1.3 bad recipient address");
		mem_free(t);
		return;
	}
	if (look_up(d, &rcpt, &p)) {
		judge(d, &rcpt, &p);
		answer(t, &p);
		return;
	}
	learning_rcpt_set(&question, &p);
	learning_ask(d->learning, &question, on_told, t);
}

/* ---- recipients add, recipients del ---- */

struct rcpt_order {
	bool pin;
	control_on_ordered on_done;
	void *arg;
};

static void on_ordered(void *data, const char *why, bool changed)
{
	struct rcpt_order *o = data;
	bool absent = !why && !changed && !o->pin;

	if (absent)
		why = "nothing is known of this recipient";
	o->on_done(o->arg,
		   absent ? EXIT_NO_MATCH
		   : why  ? EXIT_FAILED
			  : EXIT_DONE,
		   why, changed);
	mem_free(o);
}

void daemon_order_rcpt(void *data, const char *domain, const char *address,
		       bool pin, control_on_ordered on_done, void *arg)
{
	struct daemon *d = data;
	char full[2 * ADDRESS_MAX];
	struct learning_rcpt question;
	struct rcpt_order *o;
	struct policy_rcpt p;
	struct address rcpt;

	if (!join(full, sizeof(full), domain, address, &rcpt)) {
		on_done(arg, EXIT_USAGE, "that is not an address", false);
		return;
	}
	policy_rcpt_prepare(&p, d->config, &rcpt);
	if (!p.domain || !p.canonical[0]) {
		on_done(arg, EXIT_NO_MATCH,
			"it is of no domain that is configured", false);
		return;
	}
	o = mem_alloc(sizeof(*o));
	*o = (struct rcpt_order){.pin = pin, .on_done = on_done, .arg = arg};
	learning_rcpt_set(&question, &p);
	learning_order(d->learning, &question, pin, on_ordered, o);
}
