#include "mxhold/receive/learning.h"

#include <stdio.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"
#include "mxhold/receive/asking.h"
#include "mxhold/receive/facts.h"
#include "mxhold/receive/lesson_book.h"

struct learning {
	struct learning_parts parts;
	const struct config *config;
	struct lesson_book *book;
	struct asking *asking;
};

static void on_taught(void *data, const struct learning_rcpt *rcpt,
		      enum lesson_kind what);

struct learning *learning_new(const struct learning_parts *parts)
{
	struct learning *l = mem_alloc(sizeof(*l));

	l->parts = *parts;
	l->config = config_ref(parts->config);
	l->book = lesson_book_new(parts->loop, parts->directory);
	l->asking = asking_new(parts, on_taught, l);
	return l;
}

void learning_reload(struct learning *l, const struct config *config)
{
	config_unref(l->config);
	l->config = config_ref(config);
	asking_reload(l->asking, config);
}

void learning_primary_changed(struct learning *l)
{
	asking_doubt(l->asking);
}

void learning_stop(struct learning *l)
{
	asking_stop(l->asking);
}

void learning_free(struct learning *l)
{
	if (!l)
		return;
	asking_stop(l->asking);
	asking_free(l->asking);
	lesson_book_free(l->book);
	config_unref(l->config);
	mem_free(l);
}

/* ---- lessons ---- */

static void make_lesson(const struct learning *l, const struct config_domain *d,
			const struct learning_rcpt *rcpt,
			const struct learning_primary *primary,
			struct lesson *out)
{
	*out = (struct lesson){.wall_ms = clock_wall_ms()};
	snprintf(out->domain, sizeof(out->domain), "%s", rcpt->domain);
	snprintf(out->canonical, sizeof(out->canonical), "%s", rcpt->canonical);
	snprintf(out->base, sizeof(out->base), "%s", rcpt->base);
	snprintf(out->primary, sizeof(out->primary), "%s", d->primary->name);
	facts_terms(l->config, d, primary->up_ms, &out->terms);
}

static void teach(struct learning *l, const struct config_domain *d,
		  const struct learning_rcpt *rcpt, enum lesson_kind what,
		  enum learned_by by)
{
	struct learning_primary primary = {0};
	struct lesson lesson;

	/* A primary that is not well has no word in who is not there. */
	l->parts.look(l->parts.data, d->primary->name, &primary);
	if (what == LESSON_REFUSED && !primary.is_up)
		return;
	make_lesson(l, d, rcpt, &primary, &lesson);
	lesson.what = what;
	lesson.by = by;
	lesson_book_add(l->book, &lesson, NULL, NULL);
}

static void on_taught(void *data, const struct learning_rcpt *rcpt,
		      enum lesson_kind what)
{
	struct learning *l = data;
	const struct config_domain *d = config_domain(l->config, rcpt->domain);

	if (d && d->learn)
		teach(l, d, rcpt, what, LEARNED_BY_PROBE);
}

static bool parse(const struct config_domain *d, struct slice address,
		  struct learning_rcpt *out)
{
	struct address a;

	if (address_parse(address, false, &a) != ADDRESS_OK ||
	    address_is_postmaster(&a) || address.n >= sizeof(out->address) ||
	    address_canonical(&a, "", out->canonical, sizeof(out->canonical)) ||
	    address_canonical(&a, d->subaddress, out->base, sizeof(out->base)))
		return false;
	snprintf(out->domain, sizeof(out->domain), "%s", d->name);
	snprintf(out->address, sizeof(out->address), "%.*s", (int)address.n,
		 address.p);
	return true;
}

void learning_heard(struct learning *l, const char *domain,
		    struct slice address, const struct smtp_reply *reply)
{
	const struct config_domain *d = config_domain(l->config, domain);
	struct learning_rcpt rcpt;
	enum lesson_kind what;

	if (!d || !d->learn || !lesson_of_reply(reply, &what) ||
	    !parse(d, address, &rcpt))
		return;
	if (what == LESSON_TAKEN)
		asking_knows(l->asking, d->name, address);
	teach(l, d, &rcpt, what, LEARNED_BY_FORWARD);
}

/* ---- questions ---- */

void learning_rcpt_set(struct learning_rcpt *r, const struct policy_rcpt *p)
{
	snprintf(r->domain, sizeof(r->domain), "%s", p->domain->name);
	snprintf(r->address, sizeof(r->address), "%s", p->address);
	snprintf(r->canonical, sizeof(r->canonical), "%s", p->canonical);
	snprintf(r->base, sizeof(r->base), "%s", p->base);
}

void learning_ask(struct learning *l, const struct learning_rcpt *rcpt,
		  void (*on_told)(void *data, enum told told), void *data)
{
	/* What was heard just now is on its way to disk. */
	switch (lesson_book_look(l->book, rcpt->canonical)) {
	case LEARNED_TAKEN:
		on_told(data, TOLD_TAKEN);
		break;
	case LEARNED_REFUSED:
		on_told(data, TOLD_REFUSED);
		break;
	default:
		asking_ask(l->asking, rcpt, on_told, data);
	}
}

void learning_order(struct learning *l, const struct learning_rcpt *rcpt,
		    bool pin,
		    void (*on_done)(void *data, const char *why, bool changed),
		    void *data)
{
	const struct config_domain *d = config_domain(l->config, rcpt->domain);
	struct learning_primary primary = {0};
	struct lesson lesson;

	if (!d || !d->learn) {
		on_done(data, "the domain's recipients are not learned", false);
		return;
	}
	l->parts.look(l->parts.data, d->primary->name, &primary);
	make_lesson(l, d, rcpt, &primary, &lesson);
	lesson.what = pin ? LESSON_PIN : LESSON_FORGET;
	lesson.by = LEARNED_BY_OPERATOR;
	lesson_book_add(l->book, &lesson, on_done, data);
}
