/*
 * Asks primaries whether they take a recipient. For each primary a few calls
 * at once at the most, a row of those who wait, and an answer shared by all
 * who ask for the same recipient. A call goes on with the next who waits.
 *
 *	the recipient --taken--> a random address, unless it is known whether
 *	                         the domain is a catch-all
 *	              --no such user--> a recipient it is known to have, unless
 *	                                it took one within the last minute
 *
 * Main loop.
 */
#ifndef MXHOLD_RECEIVE_ASKING_H
#define MXHOLD_RECEIVE_ASKING_H

#include "mxhold/receive/learning.h"

struct asking;

/* teach: what was found out and is believed. */
struct asking *asking_new(const struct learning_parts *parts,
			  void (*teach)(void *data,
					const struct learning_rcpt *rcpt,
					enum lesson_kind what),
			  void *data);
void asking_reload(struct asking *a, const struct config *config);
/* A primary came or went: what it said before is no measure any more. */
void asking_doubt(struct asking *a);
void asking_stop(struct asking *a); /* as learning_stop */
void asking_free(struct asking *a); /* after asking_stop */

void asking_ask(struct asking *a, const struct learning_rcpt *rcpt,
		void (*on_told)(void *data, enum told told), void *data);
/* This domain's primary has taken mail for it: a recipient to ask for when
 * its word is doubted. */
void asking_knows(struct asking *a, const char *domain, struct slice address);

#endif
