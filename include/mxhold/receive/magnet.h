/*
 * Who comes to us although the primary is up: by client network and domain,
 * hour by hour, so that `mxholdctl magnet --since` can look back. In memory
 * alone: two days, and in each hour MAGNET_NETWORKS of them (those that came
 * first; the rest is counted together under no network). Pure; time is an
 * argument (wall ms). Main loop.
 */
#ifndef MXHOLD_RECEIVE_MAGNET_H
#define MXHOLD_RECEIVE_MAGNET_H

#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/inet.h"
#include "mxhold/base/stats.h"

enum {
	MAGNET_HOURS = 48,
	MAGNET_NETWORKS = 1024,
};

/* What became of a visit: a recipient that was taken, or why not. */
enum magnet_kind {
	MAGNET_ACCEPTED,
	MAGNET_DOOR,    /* 421 instead of a greeting */
	MAGNET_SENDER,  /* refused at MAIL */
	MAGNET_REFUSED, /* and enum rcpt_refusal */
	MAGNET_KINDS = MAGNET_REFUSED + RCPT_REFUSED_KINDS
};
const char *magnet_kind_name(unsigned kind);

struct magnet_row {
	struct inet_addr network; /* family 0: all others */
	char domain[256];         /* "" = none of ours, or not said yet */
	uint32_t counts[MAGNET_KINDS];
	uint64_t total;
	int64_t first_ms, last_ms; /* wall */
};

struct magnet;

struct magnet *magnet_new(void);
void magnet_free(struct magnet *m); /* NULL is fine */
void magnet_count(struct magnet *m, const struct inet_addr *network,
		  const char *domain, unsigned kind, uint32_t n,
		  int64_t now_ms);
/* Rows since then, those that came most often first; domain NULL: all. To be
 * freed with mem_free. The first hour counts whole. */
struct magnet_row *magnet_report(struct magnet *m, const char *domain,
				 int64_t since_ms, size_t *n);
/* When counting began, at most MAGNET_HOURS ago. */
int64_t magnet_since_ms(const struct magnet *m, int64_t now_ms);

#endif
