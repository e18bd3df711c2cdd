#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/answer.h"
#include "mxhold/receive/dialogue_parts.h"

/* ---- what DNS says of the client ---- */

void dialogue_forget_dns(struct dialogue *d)
{
	if (d->dns)
		d->dns->dialogue = NULL;
	d->dns = NULL;
	client_facts_done(&d->facts);
}

/* While the dialogue goes on: RCPT is the first that needs the answer. */
void dialogue_ask_dns(struct dialogue *d)
{
	struct note_dns *n;

	dialogue_forget_dns(d);
	if (d->client.addr.family == 0 || inet_is_loopback(&d->client.addr))
		return;
	n = mem_alloc(sizeof(*n));
	n->worker = d->worker;
	n->dialogue = d;
	n->client = d->client.addr;
	d->dns = n;
	d->worker->dns_out++;
	worker_go_home(d->worker, &n->note, NOTE_DNS);
}

static void log_facts(const struct dialogue *d)
{
	static const char *const names[] = {
		[FCRDNS_NOT_ASKED] = "not_asked",
		[FCRDNS_TROUBLE] = "trouble",
		[FCRDNS_NONE] = "none",
		[FCRDNS_CONFIRMED] = "confirmed",
	};
	struct log_line l;

	answer_log_begin(d, &l, d->facts.listed ? LOG_INFO : LOG_DEBUG,
			 "session.dns");
	log_str(&l, "fcrdns", names[d->facts.fcrdns]);
	if (d->facts.name)
		log_str(&l, "name", d->facts.name);
	if (d->facts.listed)
		log_slice(&l, "listed", slice_trim(slice_str(d->facts.listed)));
	log_end(&l);
}

/* ---- RCPT ---- */

static void hold(struct dialogue *d, const struct smtp_question *q)
{
	if (d->held)
		return;
	d->held = mem_alloc(sizeof(*d->held));
	*d->held = *q;
	dialogue_leave_open(d, SMTP_ASK_RCPT);
}

void dialogue_take_rcpt(struct dialogue *d, const struct smtp_question *q)
{
	const struct smtp_reply *answer;
	struct smtp_reply reply;

	d->escape = ESCAPE_NOT_ASKED;
	d->is_told = false;
	answer = answer_rcpt(d, q, &dialogue_intake_events, &reply);
	if (answer == &answer_later)
		hold(d, q);
	else
		smtp_server_answer(d->server, answer);
}

/* May end. */
static void try_again(struct dialogue *d)
{
	const struct smtp_reply *answer;
	struct smtp_reply reply;

	MX_ASSERT(d->open == SMTP_ASK_RCPT && d->held);
	answer = answer_rcpt(d, d->held, &dialogue_intake_events, &reply);
	if (answer == &answer_later)
		return;
	mem_free(d->held);
	d->held = NULL;
	dialogue_answer(d, answer);
}

void dialogue_on_facts(struct dialogue *d, struct client_facts *facts)
{
	d->dns = NULL;
	d->facts = *facts;
	*facts = (struct client_facts){0};
	/* Whoever may say XCLIENT has looked itself. */
	if (d->xclient && d->xclient->name[0])
		d->facts.fcrdns = FCRDNS_CONFIRMED;
	log_facts(d);
	if (d->held)
		try_again(d);
}

void dialogue_on_escape(struct dialogue *d, bool is_let_in)
{
	struct log_line l;

	d->escape = is_let_in ? ESCAPE_LET_IN : ESCAPE_KEPT_OUT;
	if (is_let_in) {
		answer_log_begin(d, &l, LOG_INFO, "policy");
		log_str(&l, "why",
			"it tried long enough to be taken while the primary "
			"is up");
		log_end(&l);
	}
	try_again(d);
}

void dialogue_on_told(struct dialogue *d, enum told told)
{
	d->is_told = true;
	d->told = told;
	try_again(d);
}
