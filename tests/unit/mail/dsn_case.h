/* A report to look at: what both test_dsn*.c start from. */
#ifndef MXHOLD_TESTS_UNIT_MAIL_DSN_CASE_H
#define MXHOLD_TESTS_UNIT_MAIL_DSN_CASE_H

#include <time.h>

#include "mxhold/base/text.h"
#include "mxhold/mail/dsn.h"
#include "unit/base/suite.h"

#define AT_MS   1795314556123
#define AT_TEXT "Sun, 22 Nov 2026 02:29:16 +0000"

struct dsn_case {
	struct envelope env;
	struct dsn_recipient rcpts[2];
	struct dsn dsn;
	char text[60000];
};

static inline void case_init(struct dsn_case *c)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	c->env = (struct envelope){
		.sender = SLICE("ann@client.example"),
		.helo = SLICE("mail.client.example"),
		.client = {{4, {192, 0, 2, 1}}, 4025},
		.arrived_at_ms = AT_MS,
	};
	c->rcpts[0] = c->rcpts[1] = (struct dsn_recipient){
		.address = SLICE("joe@example.org"),
		.action = DSN_FAILED,
		.status = "5.1.1",
		.remote_mta = SLICE("mx1.example.org"),
		.diagnostic = SLICE("550 5.1.1 No such user"),
		.last_attempt_ms = AT_MS,
	};
	c->rcpts[1].address = SLICE("eve@example.org");
	c->dsn = (struct dsn){
		.hostname = "mx2.example.org",
		.from = "postmaster@example.org",
		.qid = "01j3x2n5y0000",
		.now_ms = AT_MS,
		.unique = 0xabcdef,
		.original = &c->env,
		.rcpts = c->rcpts,
		.n_rcpts = 1,
		.content = SLICE("Subject: hi\r\nMessage-ID: <1@client.example>"
				 "\r\n\r\nThe body.\r\n"),
	};
}

static inline const char *case_build(struct dsn_case *c)
{
	struct buf b;

	buf_init(&b, sizeof(c->text) - 1);
	ck_assert_int_eq(dsn_build(&b, &c->dsn), 0);
	memcpy(c->text, buf_slice(&b).p, b.n);
	c->text[b.n] = '\0';
	buf_done(&b);
	return c->text;
}

/* Whole lines: the needle stands between CRLFs. */
static inline bool case_has(const struct dsn_case *c, const char *lines)
{
	char needle[1000] = "\r\n";

	strcat(needle, lines);
	strcat(needle, "\r\n");
	return strstr(c->text, needle) != NULL;
}

#endif
