/* The inside of a query, shared by its files. Private to control. */
#ifndef MXHOLD_CONTROL_QUERY_INNER_H
#define MXHOLD_CONTROL_QUERY_INNER_H

#include "mxhold/base/map.h"
#include "mxhold/control/query.h"
#include "mxhold/mail/address.h"

struct query_command {
	const char *name;
	bool filtered; /* takes a FILTER */
	enum query_more (*step)(struct query *q, struct buf *out);
};

struct query {
	const struct query_command *command;
	struct store *store;
	const struct config *config;
	struct query_live live;
	json_t *args;
	struct filter filter;
	struct reader *reader;
	struct arena arena;
	int64_t now_ms;
	bool changes; /* only messages that this change applies to */
	enum change change;

	/* where it stands */
	uint64_t after; /* the last id looked at */
	size_t at;      /* in filter.ids */
	uint64_t matched, bytes;
	uint64_t before;                        /* history */
	char after_local[ADDRESS_MAX + 1];      /* recipients */
	uint32_t chunk;                         /* content */
	uint64_t picked[QUERY_PAGE], exporting; /* export; 0 = none */
	size_t n_picked, at_picked;
	bool page_was_last;
	uint64_t sent;             /* octets of content given */
	json_t *sample;            /* array */
	struct map ages;           /* domain -> struct query_age */
	struct query_lists *lists; /* of recipients */
};

/* "exit" and "error" lines; both give QUERY_DONE. */
enum query_more query_end(struct buf *out, enum exit_code exit,
			  const char *error);
enum query_more query_failed(struct buf *out);

/*
 * Looks at the next page of messages and calls fn for each that matches.
 * QUERY_DONE when there are no more (or limit is reached); *failed is set
 * when the store failed.
 */
enum query_more query_page(struct query *q,
			   void (*fn)(struct query *q,
				      const struct queue_message *m,
				      void *data),
			   void *data, bool *failed);
/* Of these only what is in quarantine is seen. */
bool query_is_quarantine(const struct query *q);
/* The message of args.id: 0, or -1 with the end written. */
int query_message(struct query *q, struct buf *out, struct queue_message *m);

enum query_more query_step_list(struct query *q, struct buf *out);
enum query_more query_step_count(struct query *q, struct buf *out);
enum query_more query_step_export(struct query *q, struct buf *out);
enum query_more query_step_ages(struct query *q, struct buf *out);
enum query_more query_step_select(struct query *q, struct buf *out);
void query_ages_done(struct query *q);

enum query_more query_step_show(struct query *q, struct buf *out);
enum query_more query_step_headers(struct query *q, struct buf *out);
enum query_more query_step_raw(struct query *q, struct buf *out);
enum query_more query_step_log(struct query *q, struct buf *out);
enum query_more query_step_trace(struct query *q, struct buf *out);

enum query_more query_step_learned(struct query *q, struct buf *out);
enum query_more query_step_recipients(struct query *q, struct buf *out);
enum query_more query_step_sources(struct query *q, struct buf *out);
enum query_more query_step_diff(struct query *q, struct buf *out);
void query_lists_done(struct query *q);
/* By its name as it is written; NULL when there is none. */
const struct config_domain *query_find_domain(const struct config *c,
					      const char *name);

/* What is said to who names a domain where a primary is wanted. */
void query_not_a_primary(const struct config_domain *d, char out[512]);

enum query_more query_step_status(struct query *q, struct buf *out);
enum query_more query_step_primary_list(struct query *q, struct buf *out);
enum query_more query_step_primary_show(struct query *q, struct buf *out);
enum query_more query_step_breakers(struct query *q, struct buf *out);

#endif
