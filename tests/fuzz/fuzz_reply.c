/*
 * The reply parser: cut in any way it finds the same; what it found, written
 * again, is a reply that parses to the same code. EHLO lines do no harm.
 */
#include <string.h>

#include "fuzz.h"
#include "mxhold/smtp/ehlo.h"
#include "mxhold/smtp/reply_parser.h"

struct found {
	struct smtp_reply reply;
	enum smtp_reply_result result;
	size_t used;
	struct smtp_ehlo ehlo;
};

static void parse(struct slice in, struct cutter cutter, struct found *f)
{
	struct smtp_reply_parser p = {.lines = 0};
	struct slice line = {NULL, 0};
	size_t have = 0, used, start = 0;

	*f = (struct found){.result = SMTP_REPLY_MORE};
	while (have < in.n) {
		have += cutter_next(&cutter, in.n - have);
		do {
			f->result = smtp_reply_take(
				&p, slice_make(in.p + start, have - start),
				&line, &used);
			start += used;
			if (f->result == SMTP_REPLY_LINE)
				smtp_ehlo_line(&f->ehlo, line);
		} while (f->result == SMTP_REPLY_LINE);
		if (f->result != SMTP_REPLY_MORE)
			break;
	}
	f->reply = p.reply;
	f->used = f->result == SMTP_REPLY_LAST ? start : 0;
}

static void check_again(const struct smtp_reply *r)
{
	struct found f;
	struct buf b;
	char line[REPLY_TEXT_MAX + 40], status[12];

	FUZZ_CHECK(r->code >= 200 && r->code <= 599);
	FUZZ_CHECK(strlen(r->text) < REPLY_TEXT_MAX);
	smtp_reply_format(r, line, sizeof(line));
	FUZZ_CHECK(strchr(line, '\n') == NULL);
	smtp_reply_status(r, status);
	FUZZ_CHECK(status[0] == '0' + r->code / 100);
	buf_init(&b, FUZZ_TEXT_MAX);
	FUZZ_CHECK(smtp_reply_append(&b, r) == 0);
	parse(buf_slice(&b), (struct cutter){.fixed = SIZE_MAX}, &f);
	FUZZ_CHECK(f.result == SMTP_REPLY_LAST && f.used == b.n);
	FUZZ_CHECK(f.reply.code == r->code);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct cutter cutters[3] = {
		{.fixed = SIZE_MAX}, {.fixed = 1}, {.seed = fuzz_hash(in)}};
	struct found f[3];

	for (int i = 0; i < 3; i++) {
		parse(in, cutters[i], &f[i]);
		FUZZ_CHECK(f[i].result == f[0].result);
		FUZZ_CHECK(f[i].used == f[0].used);
		if (f[0].result == SMTP_REPLY_MORE)
			continue;
		FUZZ_CHECK(f[i].reply.code == f[0].reply.code);
		FUZZ_CHECK(strcmp(f[i].reply.text, f[0].reply.text) == 0);
		FUZZ_CHECK(f[i].ehlo.ext == f[0].ehlo.ext);
	}
	if (f[0].result == SMTP_REPLY_LAST && strlen(f[0].reply.text) < 400)
		check_again(&f[0].reply);
	return 0;
}
