/*
 * One message is one message (CVE-2023-51764, -51765, -51766): whatever
 * stands in the content, the only end is CRLF.CRLF, and a chunk ends behind
 * its last octet. What the machine takes is compared with a plain reading of
 * the rule, for every mix of newlines and dots and every cut of the input.
 */
#include "mxhold/smtp/server.h"

#include <stdio.h>

#include "unit/base/suite.h"

enum {
	TEXT_MAX = 512
};

/* What came of a dialogue. */
static struct {
	struct slice first; /* content of the first message, in content[] */
	char content[TEXT_MAX];
	int mails, commits, aborts;
	char replies[4096];
} got;

static const char opening[] = "EHLO client.test\r\nMAIL FROM:<a@x.test>\r\n"
			      "RCPT TO:<b@d.test>\r\n";
/* What a smuggler hopes to be read as commands. */
static const char payload[] = "MAIL FROM:<evil@x.test>\r\n";
static const char closing[] = "\r\n.\r\nNOOP\r\n";

struct text {
	char p[TEXT_MAX];
	size_t n;
};

static void append(struct text *t, struct slice s)
{
	ck_assert_uint_lt(t->n + s.n, sizeof(t->p));
	memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

/* ---- the rule, read plainly ---- */

/* RFC 5321 4.1.1.4, 4.5.2: octets before the end in `in`, or -1. */
static ptrdiff_t true_end(const struct text *in)
{
	for (size_t i = 0; i + 3 <= in->n; i++) {
		bool at_line = i == 0 || (i >= 2 && in->p[i - 2] == '\r' &&
					  in->p[i - 1] == '\n');

		if (at_line && memcmp(in->p + i, ".\r\n", 3) == 0)
			return (ptrdiff_t)i;
	}
	return -1;
}

static void unstuff(const struct text *in, size_t end, struct text *out)
{
	out->n = 0;
	for (size_t i = 0; i < end; i++) {
		bool at_line = i == 0 || (i >= 2 && in->p[i - 2] == '\r' &&
					  in->p[i - 1] == '\n');

		if (in->p[i] != '.' || !at_line)
			out->p[out->n++] = in->p[i];
	}
}

/* Bare ones become CRLF; true if there was one. */
static bool normalize(const struct text *in, struct text *out)
{
	bool bare = false;

	out->n = 0;
	for (size_t i = 0; i < in->n; i++) {
		bool pair = in->p[i] == '\r' && i + 1 < in->n &&
			    in->p[i + 1] == '\n';

		if (in->p[i] == '\r' || in->p[i] == '\n') {
			append(out, SLICE("\r\n"));
			bare = bare || !pair;
			i += pair;
		} else {
			out->p[out->n++] = in->p[i];
		}
	}
	return bare;
}

/* ---- the machine ---- */

static void note(const struct smtp_question *q)
{
	if (q->ask == SMTP_ASK_MAIL)
		got.mails++;
	if (q->ask == SMTP_ASK_ABORT)
		got.aborts++;
	if (q->ask == SMTP_ASK_COMMIT)
		got.commits++;
	if (q->ask == SMTP_ASK_BODY && got.mails == 1 && got.commits == 0) {
		ck_assert_uint_le(got.first.n + q->text.n, TEXT_MAX);
		memcpy(got.content + got.first.n, q->text.p, q->text.n);
		got.first = slice_make(got.content, got.first.n + q->text.n);
	}
}

static void serve(struct smtp_server *s)
{
	for (;;) {
		struct smtp_question q = smtp_server_next(s);
		struct slice out = smtp_server_output(s);

		note(&q);
		strncat(got.replies, out.p ? out.p : "",
			MX_MIN(out.n,
			       sizeof(got.replies) - strlen(got.replies) - 1));
		smtp_server_sent(s, out.n);
		if (q.ask == SMTP_ASK_CLOSE)
			return;
		if (q.ask != SMTP_ASK_NOTHING)
			smtp_server_answer(s, NULL);
		else if (out.n == 0)
			return;
	}
}

static void feed(struct smtp_server *s, struct slice in)
{
	serve(s);
	while (in.n) {
		in = slice_skip(in, smtp_server_feed(s, in));
		serve(s);
	}
}

/* The whole dialogue, `in` cut in two at `cut`, or everywhere (SIZE_MAX). */
static void run(const struct text *in, size_t cut, bool reject)
{
	struct smtp_server_config config = {
		.hostname = "mx.test",
		.max_rcpt = 100,
		.reject_bare_newline = reject,
		.offer_chunking = true,
	};
	struct smtp_server *s = smtp_server_new(&config);
	struct slice all = slice_make(in->p, in->n);
	size_t step = cut == SIZE_MAX ? 1 : cut;

	memset(&got, 0, sizeof(got));
	smtp_server_greet(s, NULL);
	feed(s, slice_str(opening));
	while (all.n) {
		feed(s, slice_head(all, step));
		all = slice_skip(all, step);
		step = cut == SIZE_MAX ? 1 : all.n;
	}
	smtp_server_free(s);
}

static const char *show(const struct text *t)
{
	static char text[TEXT_MAX * 4 + 1];
	char *at = text;

	for (size_t i = 0; i < t->n; i++)
		at += sprintf(at,
			      t->p[i] > ' ' && t->p[i] < 127 ? "%c" : "\\x%02x",
			      (unsigned char)t->p[i]);
	return text;
}

/* One dialogue of DATA against the rule; `body` is what follows the 354. */
static void check_data(const struct text *body, size_t cut, bool reject)
{
	ptrdiff_t end = true_end(body);
	struct text all = {.n = 0}, raw, want;
	bool bare, last = end + (ptrdiff_t)sizeof(closing) - 3 ==
			  (ptrdiff_t)body->n;

	ck_assert_int_ge(end, 0);
	unstuff(body, (size_t)end, &raw);
	bare = normalize(&raw, &want);
	append(&all, SLICE("DATA\r\n"));
	append(&all, slice_make(body->p, body->n));
	run(&all, cut, reject);
	if (bare && reject) {
		ck_assert_msg(strstr(got.replies, "\r\n550 5.5.2 ") != NULL,
			      "%s cut at %zu: %s", show(body), cut,
			      got.replies);
		ck_assert_int_eq(got.commits, 0);
		ck_assert_int_ge(got.aborts, 1);
	} else {
		ck_assert_msg(got.commits >= 1 && got.first.n == want.n &&
				      memcmp(got.content, want.p, want.n) == 0,
			      "%s cut at %zu", show(body), cut);
	}
	/* Unless the content had its true end, nothing in it was a command. */
	if (last)
		ck_assert_msg(got.mails == 1 &&
				      strstr(got.replies, "\r\n250 2.0.0 ok"),
			      "%s cut at %zu: %s", show(body), cut,
			      got.replies);
}

static void check_everywhere(const struct text *body)
{
	for (int reject = 0; reject < 2; reject++) {
		check_data(body, SIZE_MAX, reject);
		/* up to the payload; what stands behind is plain text */
		for (size_t cut = 1; cut < body->n - sizeof(payload); cut++)
			check_data(body, cut, reject);
	}
}

/* ---- DATA ---- */

/* What has been taken for the end of a line, by one server or another. */
static const struct slice ends[] = {
	SLICE("\n"),       SLICE("\r"),     SLICE("\r\n"),
	SLICE("\n\r"),     SLICE("\r\r\n"), SLICE("\r\n\r"),
	SLICE("\n\n"),     SLICE("\r\r"),   SLICE("\r\0\n"),
	SLICE("\r\n\0"),   SLICE("\0\r\n"), SLICE(" \r\n"),
	SLICE("\r\n "),    SLICE("\x0b"),   SLICE("\x0c"),
	SLICE("\xc2\x85"), SLICE("\x85"),   SLICE("\xe2\x80\xa8"),
	SLICE("\x8d\x8a"), SLICE("\\r\\n"), SLICE("=0D=0A"),
	SLICE("\t\r\n"),   SLICE("\r \n"),  SLICE(""),
};

/* MSG-2, MSG-5, MSG-6: any end, a dot, any end, cut at every octet */
START_TEST(smuggling__no_end_but_crlf_dot_crlf)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(ends); i++) {
		struct text body = {.n = 0};

		append(&body, SLICE("one"));
		append(&body, ends[_i]);
		append(&body, SLICE("."));
		append(&body, ends[i]);
		append(&body, slice_str(payload));
		append(&body, slice_str(closing));
		check_everywhere(&body);
	}
}
END_TEST

static const struct mix {
	const char *front;
	size_t n; /* octets behind it */
} mixes[] = {
	{"", 1},  {"", 2},  {"", 3},  {"", 4},  {"", 5},
	{"a", 1}, {"a", 2}, {"a", 3}, {"a", 4}, {"a", 5},
};

/* MSG-2, MSG-4: all there is, up to five octets, which is CRLF.CRLF; at the
 * front of the content too */
START_TEST(smuggling__every_mix_of_newlines_and_dots)
{
	static const char letters[] = {'\r', '\n', '.', 'x'};
	size_t n = mixes[_i].n, all = (size_t)1 << 2 * n;

	for (size_t i = 0; i < all; i++) {
		struct text body = {.n = 0};

		append(&body, slice_str(mixes[_i].front));
		for (size_t k = 0; k < n; k++)
			append(&body, slice_make(&letters[i >> 2 * k & 3], 1));
		append(&body, SLICE("MAIL"));
		append(&body, slice_str(closing));
		for (int reject = 0; reject < 2; reject++) {
			check_data(&body, SIZE_MAX, reject);
			for (size_t cut = 6; cut < 6 + n + 3; cut++)
				check_data(&body, cut, reject);
		}
	}
}
END_TEST

/* ---- BDAT ---- */

static void check_chunks(const struct text *body, size_t at, size_t cut,
			 bool reject)
{
	struct text all = {.n = 0}, want;
	bool bare = normalize(body, &want);
	char command[40];

	snprintf(command, sizeof(command), "BDAT %zu\r\n", at);
	append(&all, slice_str(command));
	append(&all, slice_make(body->p, at));
	snprintf(command, sizeof(command), "BDAT %zu LAST\r\n", body->n - at);
	append(&all, slice_str(command));
	append(&all, slice_make(body->p + at, body->n - at));
	append(&all, SLICE("NOOP\r\n"));
	run(&all, cut, reject);
	ck_assert_msg(got.mails == 1 && strstr(got.replies, "\r\n250 2.0.0 ok"),
		      "%s, chunk of %zu, cut at %zu: %s", show(body), at, cut,
		      got.replies);
	if (bare && reject) {
		ck_assert_int_eq(got.commits, 0);
		ck_assert(strstr(got.replies, "\r\n550 5.5.2 ") != NULL);
	} else {
		ck_assert_int_eq(got.commits, 1);
		ck_assert(got.first.n == want.n &&
			  memcmp(got.content, want.p, want.n) == 0);
	}
}

/* EXT-11, EXT-14, EXT-20, EXT-21: no dot, no newline and no command counts
 * within a chunk, wherever the chunks and the input are cut */
START_TEST(smuggling__a_chunk_ends_behind_its_octets)
{
	for (size_t i = 0; i < 3; i++) {
		struct text body = {.n = 0};

		append(&body, SLICE("one"));
		append(&body, ends[_i]);
		append(&body, SLICE("."));
		append(&body, ends[i]);
		append(&body, SLICE("QUIT\r\n"));
		for (size_t at = 0; at <= body.n; at++)
			for (int reject = 0; reject < 2; reject++) {
				check_chunks(&body, at, SIZE_MAX, reject);
				for (size_t cut = 1; cut < body.n + 30; cut++)
					check_chunks(&body, at, cut, reject);
			}
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS("smuggling",
			 LOOP(smuggling__no_end_but_crlf_dot_crlf, ends),
			 LOOP(smuggling__every_mix_of_newlines_and_dots, mixes),
			 LOOP(smuggling__a_chunk_ends_behind_its_octets, ends));
}
