/*
 * Keeps a primary that came back broken from bouncing the queue. Pure.
 *
 *	closed --too many 5xx, or one before RCPT--> open
 *	open   --breaker.retry is over, or the host came back--> trying
 *	trying --a good delivery--> closed	trying --5xx--> open
 *
 * What counts are 5xx for recipients known to be good (listed or learned):
 * more than breaker.max_5xx percent over the last breaker.window results.
 * All failures of one sender weigh as one against the good results, so that
 * a spammer's mail, refused one by one, opens nothing; at least two senders
 * must have failed, and where anything was good, for two recipients: one who
 * is gone has mail from many. A full window without anything good opens it
 * whoever sent. With any_before_rcpt a 5xx at banner, EHLO or MAIL opens at
 * once.
 *
 * A weak refusal is one that a sound primary says too: of the content, after
 * the recipient was taken, or of a recipient that nobody knows. However many
 * senders a wave of spam has, these alone open it only when they fill the
 * window, and then mail goes on, one message a second, so that what is good
 * is soon found behind the bad.
 *
 * What was refused before and is refused again says nothing new of a host that
 * has taken mail since: mail for somebody who is really gone, tried for
 * breaker.first_5xx, would open it again and again for everybody's mail.
 */
#ifndef MXHOLD_RELAY_BREAKER_H
#define MXHOLD_RELAY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "mxhold/config/config.h"

enum {
	BREAKER_WINDOW_MAX = 256, /* a longer breaker.window is cut to it */
	BREAKER_EXCUSED_MAX = 32
};

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_TRYING
};

enum breaker_cause {
	BREAKER_BY_HOST, /* 5xx at banner or EHLO */
	BREAKER_BY_MAIL,
	BREAKER_BY_SHARE,
	BREAKER_BY_ALL, /* weak ones, and nothing else */
	BREAKER_BY_OPERATOR
};

struct breaker_sample {
	uint64_t sender; /* hash */
	uint64_t rcpt;   /* hash */
	bool bad;
	bool weak;
	bool again; /* bad, and not for the first time */
};

struct breaker {
	enum breaker_state state;
	enum breaker_cause cause;
	bool has_taken;      /* something, since it was last away, or opened */
	int64_t retry_at_ms; /* mono; when open; INT64_MAX = never */
	struct breaker_sample samples[BREAKER_WINDOW_MAX];
	uint32_t n, at;
	/* The results when it last opened, for operators. */
	uint32_t opened_by, opened_by_bad;
	/* Senders whose mail was refused at MAIL while others' went well. */
	uint64_t excused[BREAKER_EXCUSED_MAX];
	uint32_t n_excused, excused_at;
	uint64_t blamed; /* whose MAIL opened it last; 0 = none */
};

const char *breaker_cause_name(enum breaker_cause c);
void breaker_init(struct breaker *b);
/* Open or trying: shown as open; 5xx are not believed. */
bool breaker_is_open(const struct breaker *b);
/* May mail go? Moves from open to trying when it is time. In the state
 * trying one message at a time. */
bool breaker_may_send(struct breaker *b, int64_t mono_ms);

/* Each returns true when the breaker has just been opened. */
bool breaker_host_refused(struct breaker *b, const struct config_breaker *c,
			  int64_t mono_ms);
bool breaker_mail_refused(struct breaker *b, const struct config_breaker *c,
			  uint64_t sender, int64_t mono_ms);
/* A final reply for a recipient; bad when it was a 5xx. */
bool breaker_result(struct breaker *b, const struct config_breaker *c,
		    struct breaker_sample sample, int64_t mono_ms);

/* A message was delivered. True when that has closed the breaker. */
bool breaker_delivered(struct breaker *b, uint64_t sender);
/* Probes say that banner and EHLO are fine again: what was opened by them
 * is tried at once. */
void breaker_host_is_back(struct breaker *b);
/* An operator's word: try now, open (until further notice), close. */
void breaker_try_now(struct breaker *b);
void breaker_force(struct breaker *b, bool open);

#endif
