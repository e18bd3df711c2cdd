/*
 * BDAT against a model: a message is cut into chunks as the input says, the
 * machine must hand over exactly the model's content and answer each chunk
 * once, whatever commands its octets look like.
 *
 * Input: flags (1 BINARYMIME, 2 a command behind it all), then for each
 * chunk a length octet and that many octets.
 */
#include <string.h>

#include "fuzz.h"
#include "mxhold/smtp/newline.h"
#include "mxhold/smtp/server.h"

static const struct smtp_server_config config = {
	.hostname = "mx.test",
	.max_rcpt = 10,
	.offer_8bitmime = true,
	.offer_dsn = true,
	.offer_chunking = true,
	.offer_binarymime = true,
};

/* RFC 5321 2.3.8 by the plainest of loops. */
static void model_normalize(struct buf *out, struct slice in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
			i++;
		else if (in.p[i] != '\r' && in.p[i] != '\n') {
			buf_append(out, &in.p[i], 1);
			continue;
		}
		buf_append_str(out, "\r\n");
	}
}

/* The dialogue, and the content it carries. */
static unsigned make_dialogue(struct slice in, bool binary, struct buf *wire,
			      struct buf *content)
{
	unsigned chunks = 0;
	size_t n;

	buf_append_str(wire, "EHLO a\r\nMAIL FROM:<>");
	buf_append_str(wire, binary ? " BODY=BINARYMIME\r\n" : "\r\n");
	buf_append_str(wire, "RCPT TO:<b@d.test>\r\n");
	do {
		n = in.n ? (unsigned char)in.p[0] : 0;
		in = slice_skip(in, 1);
		n = n < in.n ? n : in.n;
		buf_printf(wire, "BDAT %zu%s\r\n", n, n == in.n ? " LAST" : "");
		buf_append_slice(wire, slice_head(in, n));
		buf_append_slice(content, slice_head(in, n));
		in = slice_skip(in, n);
		chunks++;
	} while (in.n);
	return chunks;
}

static unsigned count_lines(struct slice s)
{
	unsigned lines = 0;

	for (size_t i = 0; i < s.n; i++)
		lines += s.p[i] == '\n';
	return lines;
}

static void run(struct slice wire, struct slice want, unsigned chunks,
		struct cutter cutter)
{
	struct smtp_server *s = smtp_server_new(&config);
	struct smtp_question q;
	unsigned commits = 0, lines = 0;
	struct buf got;

	buf_init(&got, FUZZ_TEXT_MAX);
	smtp_server_greet(s, NULL);
	while (wire.n) {
		size_t n = cutter_next(&cutter, wire.n);

		n = smtp_server_feed(s, slice_head(wire, n));
		wire = slice_skip(wire, n);
		do {
			q = smtp_server_next(s);
			if (q.ask == SMTP_ASK_BODY)
				buf_append_slice(&got, q.text);
			FUZZ_CHECK(q.ask != SMTP_ASK_CLOSE &&
				   q.ask != SMTP_ASK_ABORT);
			commits += q.ask == SMTP_ASK_COMMIT;
			if (q.ask != SMTP_ASK_NOTHING)
				smtp_server_answer(s, NULL);
			lines += count_lines(smtp_server_output(s));
			n = smtp_server_output(s).n;
			smtp_server_sent(s, n);
		} while (q.ask != SMTP_ASK_NOTHING || n);
	}
	FUZZ_CHECK(commits == 1);
	FUZZ_CHECK(smtp_server_errors(s) == 0);
	/* greeting, EHLO with 9 lines, MAIL, RCPT, the chunks, NOOP */
	FUZZ_CHECK(lines == 1 + 9 + 2 + chunks + 1);
	FUZZ_CHECK(slice_eq(buf_slice(&got), want));
	buf_done(&got);
	smtp_server_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool binary = size > 0 && data[0] & 1;
	struct buf wire, content, want;
	unsigned chunks;

	buf_init(&wire, FUZZ_TEXT_MAX);
	buf_init(&content, FUZZ_TEXT_MAX);
	buf_init(&want, FUZZ_TEXT_MAX);
	chunks = make_dialogue(slice_skip(slice_make(data, size), 1), binary,
			       &wire, &content);
	buf_append_str(&wire, "NOOP\r\n");
	if (binary)
		buf_append_slice(&want, buf_slice(&content));
	else
		model_normalize(&want, buf_slice(&content));
	run(buf_slice(&wire), buf_slice(&want), chunks,
	    (struct cutter){.fixed = SIZE_MAX});
	run(buf_slice(&wire), buf_slice(&want), chunks,
	    (struct cutter){.fixed = 1});
	run(buf_slice(&wire), buf_slice(&want), chunks,
	    (struct cutter){.seed = fuzz_hash(buf_slice(&wire))});
	buf_done(&wire);
	buf_done(&content);
	buf_done(&want);
	return 0;
}
