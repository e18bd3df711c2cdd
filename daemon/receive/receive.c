#include "mxhold/receive/receive.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/mail/domain.h"
#include "mxhold/net/timer.h"
#include "mxhold/receive/doors.h"
#include "mxhold/receive/receive_inner.h"

enum {
	PRIMARIES_MS = 60000,
	NEWS_MS = 500 /* until what a probe has heard is in the directory */
};

struct receive_reload {
	size_t left;
	void (*on_done)(void *data);
	void *data;
	struct note_reload notes[];
};

static void on_accept(void *data, int fd, const struct endpoint *peer,
		      const struct config_listen *listen);
static void on_note(void *data, struct mpsc_node *node);
static void on_look_at_primaries(void *data);

/* ---- birth ---- */

static void warn_of(const char *option)
{
	log_why(LOG_WARNING, "config.unsupported",
		"%s is not supported yet and has no effect", option);
}

/* Better said than silently not done. */
static void warn_of_unsupported(const struct config *c)
{
	if (c->policy.milter.n)
		warn_of("policy.milter");
	for (size_t i = 0; i < c->n_domains; i++)
		if (c->domains[i].when_up == WHEN_UP_PASSTHROUGH)
			log_why(LOG_WARNING, "config.unsupported",
				"domain %s: when_up = passthrough is not "
				"supported yet, mail is accepted",
				c->domains[i].name);
}

static int start_workers(struct receive *r, struct error *err)
{
	size_t n = MX_MAX(r->config->threads, (uint32_t)1);

	r->workers = mem_array(n, sizeof(struct worker *));
	for (; r->n_workers < n; r->n_workers++) {
		struct worker *w = worker_new(&r->parts, r->home, err);

		if (!w)
			return -1;
		r->workers[r->n_workers] = w;
	}
	for (; r->n_started < n; r->n_started++)
		if (worker_start(r->workers[r->n_started],
				 (unsigned)r->n_started, err))
			return -1;
	return 0;
}

struct receive *receive_new(const struct receive_parts *parts,
			    struct error *err)
{
	struct receive *r = mem_alloc(sizeof(*r));

	r->parts = *parts;
	r->config = config_ref(parts->config);
	r->gate = gate_new(r->config);
	r->primaries = primaries_new();
	r->client_dns = client_dns_new(parts->loop, parts->resolver, r->config);
	r->escape = escape_new(RECEIVE_ESCAPE_MAX);
	r->magnet = magnet_new();
	map_init(&r->states);
	r->home = mailbox_new(parts->loop, on_note, r);
	r->look_at_primaries = timer_new(parts->loop, on_look_at_primaries, r);
	on_look_at_primaries(r);
	warn_of_unsupported(r->config);
	r->doors = doors_open(parts, on_accept, r, err);
	if (!r->doors || start_workers(r, err)) {
		r->stopping = true;
		r->n_stopped = r->n_workers;
		receive_free(r);
		return NULL;
	}
	return r;
}

static void on_look_at_primaries(void *data)
{
	struct receive *r = data;

	primaries_refresh(r->primaries, r->config, r->parts.directory);
	timer_start(r->look_at_primaries, PRIMARIES_MS);
}

size_t receive_addresses(const struct receive *r, struct endpoint *out,
			 size_t max)
{
	return doors_addresses(r->doors, out, max);
}

/* ---- accepting ---- */

bool receive_is_in(const struct config_cidrs *nets, const struct inet_addr *a)
{
	for (size_t i = 0; i < nets->n; i++)
		if (cidr_contains(&nets->v[i], a))
			return true;
	return false;
}

static void log_refused(const struct endpoint *peer, enum admission why)
{
	char text[INET_TEXT_MAX];
	struct log_line l;

	log_begin(&l, LOG_INFO, "session.refused");
	inet_format(&peer->addr, text);
	log_str(&l, "peer", text);
	log_str(&l, "why", admission_why(why));
	log_end(&l);
}

/* Best effort, and no memory for those who are too many. */
static void refuse(int fd, const struct endpoint *peer, enum admission why)
{
	const char *text = admission_refusal(why);
	ssize_t n = send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)n;
	close(fd);
	counter_add(&stats.sessions_refused, 1);
	log_refused(peer, why);
}

static struct worker *idlest(const struct receive *r)
{
	struct worker *best = r->workers[0];

	for (size_t i = 1; i < r->n_workers; i++)
		if (r->workers[i]->sessions < best->sessions)
			best = r->workers[i];
	return best;
}

static void count_sessions(int64_t change)
{
	atomic_fetch_add_explicit(&stats.sessions_open, change,
				  memory_order_relaxed);
}

static struct ticket *make_ticket(struct receive *r, int fd,
				  const struct endpoint *peer)
{
	struct ticket *t = mem_alloc(sizeof(*t));

	r->last_sid = id_next(r->last_sid, clock_wall_ms());
	id_format(r->last_sid, t->sid);
	t->fd = fd;
	t->peer = *peer;
	t->worker = idlest(r);
	t->worker->sessions++;
	counter_add(&stats.sessions_accepted, 1);
	count_sessions(1);
	return t;
}

static void on_accept(void *data, int fd, const struct endpoint *peer,
		      const struct config_listen *listen)
{
	struct receive *r = data;
	bool is_proxied = receive_is_in(&listen->proxy_from, &peer->addr);
	enum admission a;
	struct ticket *t;

	if (is_proxied)
		a = gate_admit_proxy(r->gate);
	else
		a = gate_admit(r->gate, &peer->addr,
			       loop_now_ms(r->parts.loop));
	if (a != ADMISSION_GRANTED) {
		refuse(fd, peer, a);
		receive_count_door(r, &peer->addr);
		return;
	}
	receive_look_at_load(r);
	t = make_ticket(r, fd, peer);
	t->is_proxied = is_proxied;
	if (!is_proxied)
		t->network = inet_client_network(&peer->addr);
	t->may_xclient = receive_is_in(&listen->xclient_from, &peer->addr);
	t->has_etrn = listen->etrn;
	t->may_etrn =
		t->has_etrn && primaries_has_address(r->primaries, &peer->addr);
	t->lacks = *primaries_lack(r->primaries);
	worker_post(t->worker, &t->note, NOTE_CLIENT);
}

/* ---- notes from the workers ---- */

static void admit_behind(struct receive *r, struct ticket *t)
{
	const struct inet_addr *client = &t->client.addr;

	t->admission =
		gate_admit_behind(r->gate, client, loop_now_ms(r->parts.loop));
	if (t->admission == ADMISSION_GRANTED)
		t->network = inet_client_network(client);
	t->may_etrn =
		t->has_etrn && primaries_has_address(r->primaries, client);
	worker_post(t->worker, &t->note, NOTE_ANSWER);
}

/* RFC 1985 5.2: "@d" is d and whatever lies below it. */
static bool is_meant(struct slice name, bool below, struct slice domain)
{
	size_t at;

	if (slice_eq(name, domain))
		return true;
	if (!below || domain.n <= name.n + 1)
		return false;
	at = domain.n - name.n;
	return domain.p[at - 1] == '.' &&
	       slice_eq(slice_skip(domain, at), name);
}

static void ask_for_mail(struct receive *r, struct ticket *t, struct slice name,
			 bool below)
{
	for (size_t i = 0; i < r->config->n_domains; i++) {
		const char *domain = r->config->domains[i].name;
		enum etrn_outcome outcome;
		uint64_t waiting = 0;

		if (!is_meant(name, below, slice_str(domain)))
			continue;
		outcome = r->parts.on_etrn(r->parts.data, domain, &waiting);
		t->etrn = MX_MAX(t->etrn, outcome);
		t->waiting += waiting;
	}
}

static void start_etrn(struct receive *r, struct ticket *t)
{
	struct slice name = slice_str(t->domain);
	bool below = name.n && name.p[0] == '@';
	char domain[DOMAIN_MAX];

	t->etrn = ETRN_UNKNOWN;
	t->waiting = 0;
	if (r->parts.on_etrn &&
	    domain_canonical(slice_skip(name, below), domain) == 0)
		ask_for_mail(r, t, slice_str(domain), below);
	worker_post(t->worker, &t->note, NOTE_ANSWER);
}

static void on_told(void *data, enum told told)
{
	struct ticket *t = data;

	t->told = told;
	worker_post(t->worker, &t->note, NOTE_ANSWER);
}

static void ask_primary(struct receive *r, struct ticket *t)
{
	if (r->parts.learning)
		learning_ask(r->parts.learning, t->learn, on_told, t);
	else
		on_told(t, TOLD_NOTHING);
}

static void close_ticket(struct receive *r, struct ticket *t)
{
	gate_leave(r->gate, &t->network);
	t->worker->sessions--;
	count_sessions(-1);
	if (t->fd >= 0)
		close(t->fd);
	mem_free(t->domain);
	mem_free(t->sender);
	mem_free(t->rcpt);
	mem_free(t->learn);
	mem_free(t);
	receive_look_at_load(r);
}

static void log_penalty(const struct inet_addr *network, bool is_rate)
{
	char text[INET_TEXT_MAX];
	struct log_line l;

	log_begin(&l, LOG_WARNING, "policy");
	inet_format(network, text);
	log_str(&l, "network", text);
	log_str(&l, "why",
		is_rate ? "max_rate is used up" : "unknown_budget is used up");
	log_end(&l);
}

/* Every loop learns what the sum over all of them has shown. */
static void tell_penalty(struct receive *r, const struct inet_addr *network,
			 bool is_rate, int64_t until_ms)
{
	log_penalty(network, is_rate);
	for (size_t i = 0; i < r->n_workers; i++) {
		struct note_penalty *p = mem_alloc(sizeof(*p));

		p->network = *network;
		p->is_rate = is_rate;
		p->until_ms = until_ms;
		worker_post(r->workers[i], &p->note, NOTE_PENALTY);
	}
}

static void take_tally(struct receive *r, struct note_tally *tally)
{
	struct reputation *rep = gate_reputation(r->gate);
	int64_t now_ms = loop_now_ms(r->parts.loop), until_ms;
	uint64_t kept = 0;

	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		kept += row->kept;
		if (reputation_kept(rep, &row->network, row->kept, now_ms,
				    &until_ms))
			tell_penalty(r, &row->network, true, until_ms);
		if (reputation_unknown(rep, &row->network, row->unknown, now_ms,
				       &until_ms))
			tell_penalty(r, &row->network, false, until_ms);
	}
	mem_free(tally);
	if (kept && r->parts.on_kept)
		r->parts.on_kept(r->parts.data);
}

static void take_reloaded(struct note_reload *note)
{
	struct receive_reload *reload = note->reload;
	void (*on_done)(void *data) = reload->on_done;
	void *data = reload->data;

	if (--reload->left > 0)
		return;
	mem_free(reload);
	if (on_done)
		on_done(data);
}

static void take_stopped(struct receive *r, struct note_stop *stop)
{
	mem_free(stop);
	if (++r->n_stopped == r->n_workers && r->on_stopped)
		r->on_stopped(r->on_stopped_data);
}

static void on_note(void *data, struct mpsc_node *node)
{
	struct receive *r = data;
	struct note *note = MX_CONTAINER_OF(node, struct note, node);

	switch (note->kind) {
	case NOTE_ADMIT:
		admit_behind(r, MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_ETRN:
		start_etrn(r, MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_ESCAPE:
		receive_take_escape(r,
				    MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_RCPT:
		ask_primary(r, MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_CLOSED:
		close_ticket(r, MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_DNS:
		receive_take_dns(r,
				 MX_CONTAINER_OF(note, struct note_dns, note));
		break;
	case NOTE_VISITS:
		receive_take_visits(
			r, MX_CONTAINER_OF(note, struct note_visits, note));
		break;
	case NOTE_TALLY:
		take_tally(r, MX_CONTAINER_OF(note, struct note_tally, note));
		break;
	case NOTE_RELOADED:
		take_reloaded(MX_CONTAINER_OF(note, struct note_reload, note));
		break;
	case NOTE_STOPPED:
		take_stopped(r, MX_CONTAINER_OF(note, struct note_stop, note));
		break;
	default:
		MX_ASSERT(!"a note that is not for the main loop");
	}
}

/* ---- changes ---- */

static struct receive_reload *make_reload(struct receive *r,
					  const struct config *config,
					  struct tls_context *tls)
{
	struct receive_reload *reload = mem_alloc(
		sizeof(*reload) + r->n_workers * sizeof(struct note_reload));

	reload->left = r->n_workers;
	for (size_t i = 0; i < r->n_workers; i++) {
		struct note_reload *note = &reload->notes[i];

		note->reload = reload;
		note->config = config_ref(config);
		note->tls = tls;
		if (tls)
			tls_context_ref(tls);
	}
	return reload;
}

void receive_reload(struct receive *r, const struct config *config,
		    struct tls_context *tls, void (*on_done)(void *data),
		    void *data)
{
	struct receive_reload *reload;

	if (r->stopping) {
		if (on_done)
			loop_defer(r->parts.loop, on_done, data);
		return;
	}
	config_unref(r->config);
	r->config = config_ref(config);
	gate_configure(r->gate, config);
	client_dns_configure(r->client_dns, config);
	on_look_at_primaries(r);
	warn_of_unsupported(config);
	reload = make_reload(r, config, tls);
	reload->on_done = on_done;
	reload->data = data;
	for (size_t i = 0; i < r->n_workers; i++)
		worker_post(r->workers[i], &reload->notes[i].note, NOTE_RELOAD);
}

void receive_primary_state(struct receive *r, const char *primary, bool is_up,
			   int64_t up_ms)
{
	size_t n = strlen(primary) + 1;

	receive_take_state(r, primary, is_up, up_ms);
	for (size_t i = 0; i < r->n_workers && !r->stopping; i++) {
		struct note_primary *p = mem_alloc(sizeof(*p) + n);

		p->is_up = is_up;
		p->up_ms = up_ms;
		memcpy(p->name, primary, n);
		worker_post(r->workers[i], &p->note, NOTE_PRIMARY);
	}
	if (!r->stopping)
		timer_start(r->look_at_primaries, NEWS_MS);
}

/* ---- the end ---- */

void receive_stop(struct receive *r, int64_t grace_ms,
		  void (*on_done)(void *data), void *data)
{
	MX_ASSERT(!r->stopping);
	r->stopping = true;
	r->on_stopped = on_done;
	r->on_stopped_data = data;
	doors_close(r->doors);
	r->doors = NULL;
	client_dns_stop(r->client_dns);
	for (size_t i = 0; i < r->n_workers; i++) {
		struct note_stop *stop = mem_alloc(sizeof(*stop));

		stop->grace_ms = grace_ms;
		worker_post(r->workers[i], &stop->note, NOTE_STOP);
	}
}

void receive_free(struct receive *r)
{
	if (!r)
		return;
	MX_ASSERT(r->stopping && r->n_stopped == r->n_workers);
	doors_close(r->doors);
	for (size_t i = 0; i < r->n_started; i++)
		worker_end_thread(r->workers[i]);
	mailbox_free(r->home); /* the last tickets and tallies */
	for (size_t i = 0; i < r->n_workers; i++)
		worker_free(r->workers[i]);
	timer_free(r->look_at_primaries);
	client_dns_free(r->client_dns);
	escape_free(r->escape);
	magnet_free(r->magnet);
	map_done(&r->states, mem_free);
	gate_free(r->gate);
	primaries_free(r->primaries);
	config_unref(r->config);
	mem_free(r->workers);
	mem_free(r);
}
