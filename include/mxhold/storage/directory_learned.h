/*
 * Recipients that were learned: what a domain's primary took or refused, each
 * with when that was last confirmed.
 *
 * The clock is the up-time of the domain's primary, so that nothing expires
 * while it is down. Each domain has a clock of its own that goes on where it
 * stood when its primary is replaced by another.
 *
 * What peers teach is bounded: so many entries of a kind a domain; the one not
 * confirmed for longest makes room. Advisory like all of directory/.
 */
#ifndef MXHOLD_STORAGE_DIRECTORY_LEARNED_H
#define MXHOLD_STORAGE_DIRECTORY_LEARNED_H

#include "mxhold/mail/address.h"
#include "mxhold/storage/directory.h"

enum learned {
	LEARNED_ERROR = -1, /* the look-up failed: defer */
	LEARNED_NOTHING = 0,
	LEARNED_TAKEN,   /* the primary took mail or a probe for it */
	LEARNED_REFUSED, /* "no such user" */
	LEARNED_PINNED,  /* an operator's word: taken, never expires */
	LEARNED_KINDS
};

enum learned_by {
	LEARNED_BY_FORWARD,
	LEARNED_BY_PROBE,
	LEARNED_BY_OPERATOR
};

enum {
	LEARNED_TAKEN_MAX = 1000000,
	LEARNED_REFUSED_MAX = 20000,
	LEARNED_PAGE = 200,
};

/* What holds for a domain: whose clock, and how long things last on it. */
struct learned_terms {
	const char *primary;
	int64_t up_ms; /* its up-time clock now */
	int64_t learn_ttl, forget_ttl;
	/* How long a recipient that was taken must be refused, with no other
	 * word between, before that is believed. */
	int64_t doubt;
};

/*
 * `canonical` is the whole address, `base` the same without its subaddress
 * detail (may be equal). What is known of the address itself wins; a base
 * that was taken stands for its details, one that was refused does not.
 * Any thread that owns `r`.
 */
enum learned directory_learned(struct directory_reader *r, const char *domain,
			       const char *canonical, const char *base,
			       const struct learned_terms *terms);
/* Was it ever taken and not unlearned since? Whatever its age. */
bool directory_learned_known(struct directory_reader *r, const char *domain,
			     const char *canonical, const char *base);

enum lesson_kind {
	LESSON_TAKEN,
	LESSON_REFUSED,
	LESSON_PIN,
	LESSON_FORGET
};

struct lesson {
	enum lesson_kind what;
	enum learned_by by;
	char domain[256];
	char canonical[ADDRESS_MAX + 1], base[ADDRESS_MAX + 1];
	char primary[PEER_NAME_MAX];
	struct learned_terms terms; /* .primary: set by directory_learn */
	int64_t wall_ms;
	/* out */
	bool changed; /* it was not known so before */
};

/*
 * One transaction for all of them; none when they say nothing new: a
 * confirmation is written at most once an hour, or a sixteenth of learn_ttl.
 * Blocks: the work pool. 0 or -1: then none is kept.
 */
int directory_learn(struct directory *d, struct lesson *lessons, size_t n,
		    struct error *err);

struct learned_row {
	char local[ADDRESS_MAX + 1];
	enum learned kind;
	enum learned_by by;
	int64_t wall_ms; /* last confirmed */
	int64_t left_ms; /* of the primary's up-time; -1 = for ever */
	bool is_doubted; /* it was taken, and is refused lately */
};

/*
 * What is in force, in order of local part, from behind *after on; *after is
 * moved along. A short snapshot of at most LEARNED_PAGE entries looked at.
 * 1 = there may be more, 0 = the end, -1.
 */
int directory_learned_page(struct directory *d, const char *domain,
			   const struct learned_terms *terms,
			   char after[ADDRESS_MAX + 1],
			   struct learned_row rows[LEARNED_PAGE], size_t *n);

#endif
