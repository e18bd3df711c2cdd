#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/net/digest.h"
#include "mxhold/receive/facts.h"
#include "mxhold/receive/lacks.h"
#include "mxhold/receive/receive_inner.h"
#include "mxhold/receive/simulate.h"

struct trial { /* waits for DNS */
	struct receive *receive;
	struct simulate_ask ask; /* its texts are ours */
	char *helo, *from, *rcpt;
	struct client_dns_wait wait;
	void (*on_done)(void *data, struct simulation *s);
	void *data;
};

static char *copy(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

/* ---- gathering ---- */

/* When nobody knows, RCPT would ask the primary. That is not done here: the
 * recipient is taken for good. */
static void look_up(struct receive *r, struct simulate_facts *f,
		    const struct address *rcpt)
{
	struct directory_reader *listed =
		directory_reader_new(r->parts.directory, digest_sha256);
	struct facts_primary primary = {.can_ask = true};
	const struct facts_of of = {
		.config = r->config,
		.directory = r->parts.directory,
	};

	primary.is_up = receive_primary_is_up(r, f->listed.domain->primary,
					      &primary.up_ms);
	if (!listed) {
		policy_rcpt_decide(&f->listed, LISTED_ERROR);
		return;
	}
	f->is_asked_for =
		facts_look_up(&f->listed, rcpt, listed, &of, &primary);
	if (f->is_asked_for)
		policy_rcpt_told(&f->listed, TOLD_TAKEN);
	directory_reader_free(listed);
}

static void look_at_queue(struct simulate_facts *f, struct reader *reader)
{
	struct queue_counts counts;
	uint32_t dest;

	if (reader &&
	    reader_dest_find(reader, DEST_DOMAIN, f->prepared.domain->name,
			     &dest) == 0 &&
	    reader_dest_counts(reader, dest, &counts) == 0)
		f->queued_bytes = counts.bytes;
}

/* Would this one, which is one more, be let in? */
static bool look_at_tries(struct receive *r, struct simulate_facts *f,
			  const struct address *sender)
{
	const struct escape_try attempt = {
		.network = inet_client_network(&f->ask->client),
		.sender = sender->text,
		.rcpt = slice_str(f->prepared.canonical),
	};
	int64_t now_ms = loop_now_ms(r->parts.loop), since_ms = now_ms;

	f->tries = escape_tries(r->escape, &attempt, now_ms, &since_ms);
	f->tried_ms = now_ms - since_ms;
	return f->tries + 1 >= escape_rules.tries &&
	       f->tried_ms >= escape_rules.spread_ms;
}

static void look_at_primary(struct receive *r, struct simulate_facts *f)
{
	const struct config_primary *p = f->prepared.domain->primary;

	int64_t up_ms;

	if (!p)
		return;
	f->is_primary_up = receive_primary_is_up(r, p, &up_ms);
	f->is_ehlo_known =
		lacks_look_up(r->parts.directory, r->config, p, &f->lacks);
}

static void look_at_domain(struct receive *r, struct simulate_facts *f,
			   const struct address *rcpt)
{
	struct address sender = {0};
	struct facts_of of = {
		.config = r->config,
		.directory = r->parts.directory,
		.reader = reader_new(r->parts.store),
	};

	if (f->ask->from)
		(void)simulate_address(f->ask->from, &sender);
	look_at_primary(r, f);
	look_at_queue(f, of.reader);
	of.utf8_sender = sender.utf8;
	of.is_primary_up = !look_at_tries(r, f, &sender) && f->is_primary_up;
	facts_judge(&f->judged, rcpt, &of);
	if (of.reader)
		reader_free(of.reader);
}

static void look_at_recipient(struct receive *r, struct simulate_facts *f)
{
	struct address rcpt;

	f->rcpt_error = simulate_address(f->ask->rcpt, &rcpt);
	if (f->rcpt_error != ADDRESS_OK)
		return;
	f->needs_directory =
		!policy_rcpt_prepare(&f->prepared, r->config, &rcpt);
	f->listed = f->prepared;
	if (f->needs_directory)
		look_up(r, f, &rcpt);
	f->judged = f->listed;
	if (f->prepared.domain && f->prepared.reply.code < 400)
		look_at_domain(r, f, &rcpt);
}

static void gather(struct receive *r, struct simulate_facts *f)
{
	const struct inet_addr *client = &f->ask->client;
	struct inet_addr network = inet_client_network(client);
	int64_t now_ms = loop_now_ms(r->parts.loop);

	f->config = r->config;
	f->admission = gate_peek(r->gate, client, now_ms);
	f->sessions = gate_sessions(r->gate);
	f->is_pressed = r->is_pressed;
	f->is_slowed = reputation_is_slowed(gate_reputation(r->gate), &network,
					    now_ms);
	f->is_primary = primaries_has_address(r->primaries, client);
	look_at_recipient(r, f);
}

/* ---- the outside ---- */

static void on_facts(struct client_dns_wait *wait,
		     const struct client_facts *client)
{
	struct trial *t = MX_CONTAINER_OF(wait, struct trial, wait);
	struct simulate_facts *f = mem_alloc(sizeof(*f));
	struct simulation *s = mem_alloc(sizeof(*s));

	f->ask = &t->ask;
	f->client = client;
	gather(t->receive, f);
	simulate_run(s, f);
	mem_free(f);
	t->on_done(t->data, s);
	mem_free(t->helo);
	mem_free(t->from);
	mem_free(t->rcpt);
	mem_free(t);
}

void receive_simulate(struct receive *r, const struct simulate_ask *ask,
		      void (*on_done)(void *data, struct simulation *s),
		      void *data)
{
	struct trial *t = mem_alloc(sizeof(*t));

	t->receive = r;
	t->ask.client = ask->client;
	t->ask.helo = t->helo = copy(ask->helo);
	t->ask.from = t->from = copy(ask->from);
	t->ask.rcpt = t->rcpt = copy(ask->rcpt);
	t->on_done = on_done;
	t->data = data;
	t->wait.on_facts = on_facts;
	client_dns_ask(r->client_dns, &ask->client,
		       receive_is_judged(r, &ask->client), &t->wait);
}
