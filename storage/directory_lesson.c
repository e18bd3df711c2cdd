#include "mxhold/storage/directory_lesson.h"

#include "mxhold/base/siphash.h"

enum {
	CONFIRM_MS = 60 * 60 * 1000, /* not written more often than that */
	CONFIRM_PARTS = 16,          /* of learn_ttl, nor than that */
};

/* --- the clock --------------------------------------------------------- */

uint64_t learned_primary_hash(const char *primary)
{
	static const uint64_t key[2] = {0x6d78686f6c64, 0x6c6561726e6564};

	return siphash(key, slice_str(primary));
}

int64_t learned_clock(const struct learned_domain *d,
		      const struct learned_terms *terms)
{
	if (d->primary != learned_primary_hash(terms->primary))
		return d->clock_ms;
	return MX_MAX(d->clock_ms, terms->up_ms + d->shift);
}

void learned_advance(struct learned_domain *d,
		     const struct learned_terms *terms)
{
	uint64_t hash = learned_primary_hash(terms->primary);

	if (d->primary != hash || terms->up_ms + d->shift < d->clock_ms) {
		d->primary = hash;
		d->shift = d->clock_ms - terms->up_ms;
	}
	d->clock_ms = terms->up_ms + d->shift;
}

int64_t learned_left(const struct learned_record *r, int64_t clock_ms,
		     const struct learned_terms *terms)
{
	int64_t ttl = r->kind == LEARNED_REFUSED ? terms->forget_ttl
						 : terms->learn_ttl;
	int64_t age = MX_MAX(clock_ms - r->at_ms, (int64_t)0);

	if (r->kind == LEARNED_PINNED)
		return -1;
	return age < ttl ? ttl - age : 0;
}

/* --- what follows from what -------------------------------------------- */

static bool become(struct learned_record *now, enum learned kind,
		   const struct lesson *lesson, int64_t clock_ms)
{
	*now = (struct learned_record){
		.kind = kind,
		.by = lesson->by,
		.at_ms = clock_ms,
		.wall_ms = lesson->wall_ms,
	};
	return true;
}

static bool is_fresh(const struct learned_record *now,
		     const struct lesson *lesson, int64_t clock_ms)
{
	int64_t step = MX_MIN(lesson->terms.learn_ttl / CONFIRM_PARTS,
			      (int64_t)CONFIRM_MS);

	return now->kind == LEARNED_TAKEN && !now->doubt_ms &&
	       clock_ms - now->at_ms < step;
}

static bool merge_taken(struct learned_record *now, const struct lesson *lesson,
			int64_t clock_ms)
{
	if (now->kind == LEARNED_PINNED || is_fresh(now, lesson, clock_ms))
		return false;
	return become(now, LEARNED_TAKEN, lesson, clock_ms);
}

/* A primary that has lost its users for an hour must not make us lose ours:
 * who was taken stays so until the refusals have lasted. */
static bool merge_refused(struct learned_record *now,
			  const struct lesson *lesson, int64_t clock_ms)
{
	if (now->kind == LEARNED_PINNED)
		return false;
	if (now->kind == LEARNED_TAKEN &&
	    learned_left(now, clock_ms, &lesson->terms) > 0) {
		if (!now->doubt_ms) {
			now->doubt_ms = MX_MAX(clock_ms, (int64_t)1);
			return true;
		}
		if (clock_ms - now->doubt_ms < lesson->terms.doubt)
			return false;
	}
	if (lesson->terms.forget_ttl == 0) {
		bool was_known = now->kind != LEARNED_NOTHING;

		now->kind = LEARNED_NOTHING;
		return was_known;
	}
	return become(now, LEARNED_REFUSED, lesson, clock_ms);
}

bool learned_merge(struct learned_record *now, const struct lesson *lesson,
		   int64_t clock_ms)
{
	bool was_known = now->kind != LEARNED_NOTHING;

	switch (lesson->what) {
	case LESSON_TAKEN:
		return merge_taken(now, lesson, clock_ms);
	case LESSON_REFUSED:
		return merge_refused(now, lesson, clock_ms);
	case LESSON_PIN:
		if (now->kind == LEARNED_PINNED)
			return false;
		return become(now, LEARNED_PINNED, lesson, clock_ms);
	case LESSON_FORGET:
		break;
	}
	now->kind = LEARNED_NOTHING;
	return was_known;
}
