#include "mxhold/receive/worker.h"

#include <stdio.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/net/digest.h"
#include "mxhold/receive/dialogue.h"

enum {
	REPUTATION_MAX = 16384,
	TALLY_MS = 20,
	UNBLOCK_MS = 20,
};

static void on_note(void *data, struct mpsc_node *node);
static void on_job(void *data, struct mpsc_node *node);
static void on_unblock(void *data);
static void on_send_tally(void *data);
static void on_grace_over(void *data);
static void on_kept(void *data, const struct envelope *env);
static void on_intake_gone(void *data);

/* ---- birth, on the main loop ---- */

static void make_handles(struct worker *w)
{
	w->notes = mailbox_new(w->loop, on_note, w);
	w->jobs = mailbox_new(w->loop, on_job, w);
	w->unblock = timer_new(w->loop, on_unblock, w);
	w->send_tally = timer_new(w->loop, on_send_tally, w);
	w->grace = timer_new(w->loop, on_grace_over, w);
	w->host = (struct intake_host){
		.writer = w->writer,
		.jobs = w->jobs,
		.on_kept = on_kept,
		.on_gone = on_intake_gone,
		.data = w,
	};
}

struct worker *worker_new(const struct receive_parts *parts,
			  struct mailbox *home, struct error *err)
{
	struct worker *w = mem_alloc(sizeof(*w));

	w->loop = loop_new(err);
	if (!w->loop) {
		mem_free(w);
		return NULL;
	}
	w->home = home;
	w->store = parts->store;
	w->writer = parts->writer;
	w->directory = parts->directory;
	w->config = config_ref(parts->config);
	w->tls = parts->tls;
	if (w->tls)
		tls_context_ref(w->tls);
	w->reputation = reputation_new(REPUTATION_MAX);
	reputation_configure(w->reputation, &w->config->policy);
	w->no_room_for = UINT64_MAX;
	map_init(&w->primaries);
	list_init(&w->dialogues);
	list_init(&w->blocked);
	make_handles(w);
	w->listed = directory_reader_new(w->directory, digest_sha256);
	if (!w->listed) {
		error_set(err, "no room for another reader of the directory");
		worker_free(w);
		return NULL;
	}
	return w;
}

int worker_start(struct worker *w, unsigned number, struct error *err)
{
	char name[16];

	snprintf(name, sizeof(name), "receive-%u", number);
	return loop_thread_start(w->loop, name, err);
}

void worker_post(struct worker *w, struct note *note, enum note_kind kind)
{
	note->kind = kind;
	mailbox_post(w->notes, &note->node);
}

/* ---- the end, on the main loop ---- */

void worker_end_thread(struct worker *w)
{
	loop_stop(w->loop);
	loop_thread_join(w->loop);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	MX_ASSERT(list_empty(&w->dialogues) && w->host.live == 0);
	mailbox_free(w->notes);
	mailbox_free(w->jobs);
	timer_free(w->unblock);
	timer_free(w->send_tally);
	timer_free(w->grace);
	mem_free(w->tally);
	mem_free(w->visits);
	loop_free(w->loop);
	if (w->listed)
		directory_reader_free(w->listed);
	if (w->reader)
		reader_free(w->reader);
	reputation_free(w->reputation);
	map_done(&w->primaries, mem_free);
	tls_context_unref(w->tls);
	config_unref(w->config);
	mem_free(w);
}

/* ---- notes ---- */

static void take_penalty(struct worker *w, struct note_penalty *p)
{
	if (p->is_rate)
		reputation_slow(w->reputation, &p->network, p->until_ms);
	else
		reputation_penalise(w->reputation, &p->network, p->until_ms);
	mem_free(p);
}

static void take_primary(struct worker *w, struct note_primary *p)
{
	struct slice name = slice_str(p->name);
	struct worker_primary *known = map_get(&w->primaries, name);

	if (!known) {
		known = mem_alloc(sizeof(*known));
		map_put(&w->primaries, name, known);
	}
	w->n_up += p->is_up - known->is_up;
	known->is_up = p->is_up;
	known->up_ms = p->up_ms;
	known->at_ms = loop_now_ms(w->loop);
	mem_free(p);
}

bool worker_primary_is_up(const struct worker *w,
			  const struct config_primary *primary, int64_t *up_ms)
{
	const struct worker_primary *known = NULL;

	if (primary)
		known = map_get(&w->primaries, slice_str(primary->name));
	*up_ms = known ? known->up_ms : 0;
	if (!known || !known->is_up)
		return false;
	*up_ms += loop_now_ms(w->loop) - known->at_ms;
	return true;
}

static void take_config(struct worker *w, struct note_reload *r)
{
	config_unref(w->config);
	tls_context_unref(w->tls);
	w->config = r->config;
	w->tls = r->tls;
	r->config = NULL;
	r->tls = NULL;
	reputation_configure(w->reputation, &w->config->policy);
	worker_go_home(w, &r->note, NOTE_RELOADED);
}

static void each_dialogue(struct worker *w, void (*fn)(struct list *))
{
	LIST_FOR_EACH_SAFE (it, &w->dialogues)
		fn(it);
}

/* The last dialogue and the last intake have gone: say so, once. */
static void look_whether_stopped(struct worker *w)
{
	struct note_stop *stop = w->stop;

	if (!stop || !list_empty(&w->dialogues) || w->host.live > 0 ||
	    w->dns_out > 0)
		return;
	w->stop = NULL;
	timer_stop(w->grace);
	timer_stop(w->send_tally);
	on_send_tally(w);
	worker_go_home(w, &stop->note, NOTE_STOPPED);
}

static void take_facts(struct worker *w, struct note_dns *n)
{
	w->dns_out--;
	if (n->dialogue)
		dialogue_on_facts(n->dialogue, &n->facts);
	client_facts_done(&n->facts);
	mem_free(n);
	look_whether_stopped(w);
}

static void take_load(struct worker *w, struct note_load *load)
{
	w->is_pressed = load->is_pressed;
	mem_free(load);
	if (w->is_pressed)
		each_dialogue(w, dialogue_hurry);
}

static void begin_stop(struct worker *w, struct note_stop *stop)
{
	w->stop = stop;
	timer_start(w->grace, stop->grace_ms);
	each_dialogue(w, dialogue_stop);
	look_whether_stopped(w);
}

static void on_grace_over(void *data)
{
	struct worker *w = data;

	each_dialogue(w, dialogue_cut);
}

static void on_note(void *data, struct mpsc_node *node)
{
	struct worker *w = data;
	struct note *note = MX_CONTAINER_OF(node, struct note, node);

	switch (note->kind) {
	case NOTE_CLIENT:
		dialogue_open(w, MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_ANSWER:
		dialogue_on_answer(MX_CONTAINER_OF(note, struct ticket, note));
		break;
	case NOTE_PENALTY:
		take_penalty(w,
			     MX_CONTAINER_OF(note, struct note_penalty, note));
		break;
	case NOTE_PRIMARY:
		take_primary(w,
			     MX_CONTAINER_OF(note, struct note_primary, note));
		break;
	case NOTE_LOAD:
		take_load(w, MX_CONTAINER_OF(note, struct note_load, note));
		break;
	case NOTE_FACTS:
		take_facts(w, MX_CONTAINER_OF(note, struct note_dns, note));
		break;
	case NOTE_RELOAD:
		take_config(w, MX_CONTAINER_OF(note, struct note_reload, note));
		break;
	case NOTE_STOP:
		begin_stop(w, MX_CONTAINER_OF(note, struct note_stop, note));
		break;
	default:
		MX_ASSERT(!"a note that is not for a worker");
	}
}

void worker_go_home(struct worker *w, struct note *note, enum note_kind kind)
{
	note->kind = kind;
	mailbox_post(w->home, &note->node);
}

/* ---- dialogues ---- */

void worker_attach(struct worker *w, struct list *in_worker)
{
	list_append(&w->dialogues, in_worker);
}

void worker_detach(struct worker *w, struct list *in_worker)
{
	list_remove(in_worker);
	look_whether_stopped(w);
}

static void on_intake_gone(void *data)
{
	look_whether_stopped(data);
}

/* ---- the queue ---- */

static void log_full(uint64_t size)
{
	struct log_line l;

	log_begin(&l, LOG_ERROR, "queue.full");
	log_str(&l, "why", "no room for another message");
	log_int(&l, "size", (int64_t)size);
	log_end(&l);
}

/* Small messages may fit where a large one does not: only one as large shows
 * that there is room again, only a much smaller one that there is less. */
bool worker_has_room(struct worker *w, uint64_t size)
{
	if (store_has_room(w->store, size)) {
		if (size >= w->no_room_for)
			w->no_room_for = UINT64_MAX;
		return true;
	}
	if (size < w->no_room_for / 2)
		log_full(size);
	w->no_room_for = MX_MIN(w->no_room_for, size);
	return false;
}

bool worker_is_congested(const struct worker *w)
{
	return intake_is_congested(&w->host);
}

void worker_block(struct worker *w, struct list *blocked)
{
	list_append(&w->blocked, blocked);
	if (!timer_is_active(w->unblock))
		timer_start(w->unblock, UNBLOCK_MS);
}

static void on_unblock(void *data)
{
	struct worker *w = data;

	timer_stop(w->unblock);
	while (!list_empty(&w->blocked) && !worker_is_congested(w)) {
		struct list *it = w->blocked.next;

		list_remove(it);
		dialogue_on_unblocked(it);
	}
	if (!list_empty(&w->blocked))
		timer_start(w->unblock, UNBLOCK_MS);
}

static void on_job(void *data, struct mpsc_node *node)
{
	struct worker *w = data;

	intake_on_note(node);
	if (!list_empty(&w->blocked))
		on_unblock(w);
}

/* ---- what clients did ---- */

static void send_visits(struct worker *w)
{
	struct note_visits *visits = w->visits;

	w->visits = NULL;
	if (visits)
		worker_go_home(w, &visits->note, NOTE_VISITS);
}

static void on_send_tally(void *data)
{
	struct worker *w = data;
	struct note_tally *tally = w->tally;

	w->tally = NULL;
	if (tally)
		worker_go_home(w, &tally->note, NOTE_TALLY);
	send_visits(w);
}

static struct tally_row *find_row(struct note_tally *tally,
				  const struct inet_addr *network)
{
	for (size_t i = 0; tally && i < tally->n; i++)
		if (inet_eq(&tally->rows[i].network, network))
			return &tally->rows[i];
	return NULL;
}

static struct tally_row *tally_row(struct worker *w,
				   const struct inet_addr *network)
{
	struct tally_row *row = find_row(w->tally, network);

	if (row)
		return row;
	if (w->tally && w->tally->n == TALLY_MAX)
		on_send_tally(w);
	if (!w->tally) {
		w->tally = mem_alloc(sizeof(*w->tally));
		timer_start(w->send_tally, TALLY_MS);
	}
	row = &w->tally->rows[w->tally->n++];
	row->network = *network;
	return row;
}

static void on_kept(void *data, const struct envelope *env)
{
	struct worker *w = data;
	struct inet_addr network = inet_client_network(&env->client.addr);
	int64_t until_ms;

	tally_row(w, &network)->kept++;
	reputation_kept(w->reputation, &network, 1, loop_now_ms(w->loop),
			&until_ms);
}

bool worker_count_unknown(struct worker *w, const struct inet_addr *network)
{
	int64_t until_ms;

	tally_row(w, network)->unknown++;
	return reputation_unknown(w->reputation, network, 1,
				  loop_now_ms(w->loop), &until_ms);
}

static struct visits_row *find_visits(struct note_visits *visits,
				      const struct inet_addr *network,
				      const char *domain, unsigned kind)
{
	for (size_t i = 0; visits && i < visits->n; i++) {
		struct visits_row *row = &visits->rows[i];

		if (row->kind == kind && inet_eq(&row->network, network) &&
		    strcmp(row->domain, domain) == 0)
			return row;
	}
	return NULL;
}

static bool is_any_up(const struct worker *w, const char *domain)
{
	const struct config_domain *d;
	int64_t up_ms;

	if (!*domain)
		return w->n_up > 0;
	d = config_domain(w->config, domain);
	return d && worker_primary_is_up(w, d->primary, &up_ms);
}

void worker_count_visit(struct worker *w, const struct inet_addr *network,
			const char *domain, unsigned kind)
{
	struct visits_row *row;

	if (!is_any_up(w, domain))
		return;
	row = find_visits(w->visits, network, domain, kind);
	if (!row && w->visits && w->visits->n == VISITS_MAX)
		send_visits(w);
	if (!w->visits) {
		w->visits = mem_alloc(sizeof(*w->visits));
		if (!timer_is_active(w->send_tally))
			timer_start(w->send_tally, TALLY_MS);
	}
	if (!row) {
		row = &w->visits->rows[w->visits->n++];
		row->network = *network;
		row->kind = kind;
		snprintf(row->domain, sizeof(row->domain), "%s", domain);
	}
	row->count++;
}
