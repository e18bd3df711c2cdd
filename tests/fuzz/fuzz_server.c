/*
 * The receiving machine: any octets, cut in any way, give the same output
 * and the same questions; every line of output is a reply (RX-42, RX-43);
 * content handed to the driver has no bare CR or LF and no more octets than
 * allowed.
 *
 * Input: perhaps 0xf8 to 0xff and an octet (11 bits of configuration), then
 * what the client sends. 0xf5 0xf5 stands for the end of the TLS handshake.
 */
#include <string.h>

#include "fuzz.h"
#include "mxhold/smtp/server.h"

struct run {
	struct smtp_server_config config;
	struct smtp_server *server;
	struct cutter cutter;
	struct buf output, asked;
	bool binary, closed, tls;
	char last; /* octet of the content */
	uint64_t content;
};

static void configure(struct smtp_server_config *c, unsigned bits)
{
	*c = (struct smtp_server_config){
		.hostname = "mx.test",
		.max_size = bits & 1 ? 100 : 100000,
		.max_rcpt = bits & 2 ? 2 : 100,
		.max_errors = bits & 4 ? 3 : 50,
		.strict_helo = bits & 8,
		.reject_bare_newline = bits & 16,
		.offer_tls = !(bits & 32),
		.offer_8bitmime = !(bits & 64),
		.offer_dsn = !(bits & 64),
		.offer_utf8 = !(bits & 64),
		.offer_chunking = !(bits & 128),
		.offer_binarymime = !(bits & 256),
		.offer_requiretls = !(bits & 512),
		.offer_etrn = !(bits & 1024),
		.offer_xclient = !(bits & 1024),
	};
}

static void drain(struct run *r)
{
	struct slice out = smtp_server_output(r->server);

	buf_append_slice(&r->output, out);
	smtp_server_sent(r->server, out.n);
}

static void check_body(struct run *r, struct slice text)
{
	r->binary = smtp_server_transaction(r->server)->body == BODY_BINARYMIME;
	r->content += text.n;
	FUZZ_CHECK(text.n > 0);
	FUZZ_CHECK(r->content <= r->config.max_size);
	for (size_t i = 0; i < text.n && !r->binary; i++) {
		FUZZ_CHECK((text.p[i] == '\n') == (r->last == '\r'));
		r->last = text.p[i];
	}
}

/* Refuses what its text says, so that every run refuses the same. */
static const struct smtp_reply *decide(const struct smtp_question *q,
				       struct smtp_reply *reply)
{
	struct slice text = q->ask == SMTP_ASK_RCPT   ? q->rcpt.text
			    : q->ask == SMTP_ASK_MAIL ? q->sender.text
						      : q->text;
	uint32_t h = q->ask == SMTP_ASK_BODY ? 0 : fuzz_hash(text) >> 24;

	if (q->ask == SMTP_ASK_ABORT || h < 200)
		return NULL;
	if (h < 220)
		smtp_reply_set(reply, 450, "4.7.1", "later");
	else if (h < 254)
		smtp_reply_set(reply, 550, "5.1.1", "no");
	else
		smtp_reply_set(reply, 421, "4.3.2", "going");
	return reply;
}

static void log_question(struct run *r, const struct smtp_question *q)
{
	const struct smtp_transaction *t = smtp_server_transaction(r->server);

	if (q->ask == SMTP_ASK_BODY) {
		check_body(r, q->text);
		buf_append_slice(&r->asked, q->text);
		return;
	}
	if (q->ask == SMTP_ASK_COMMIT) {
		FUZZ_CHECK(q->content_size == r->content);
		FUZZ_CHECK(r->binary || r->last != '\r');
	}
	if (q->ask == SMTP_ASK_DATA || q->ask == SMTP_ASK_ABORT) {
		r->content = 0;
		r->last = 0;
	}
	buf_printf(&r->asked, "\n%d ", q->ask);
	buf_append_slice(&r->asked, q->text);
	buf_append_slice(&r->asked, q->sender.text);
	buf_append_slice(&r->asked, q->rcpt.text);
	buf_append_slice(&r->asked, q->rcpt_params.orcpt);
	buf_append_slice(&r->asked, q->xclient.addr);
	buf_append_slice(&r->asked, t->sender);
	buf_append_slice(&r->asked, t->envid);
}

static void serve(struct run *r)
{
	struct smtp_question q;
	struct smtp_reply reply;

	while (!r->tls && !r->closed) {
		q = smtp_server_next(r->server);
		if (q.ask == SMTP_ASK_CLOSE) {
			r->closed = true;
		} else if (q.ask == SMTP_ASK_TLS) {
			r->tls = true;
		} else if (q.ask != SMTP_ASK_NOTHING) {
			log_question(r, &q);
			FUZZ_CHECK(smtp_server_feed(r->server, SLICE("X")) ==
				   0);
			smtp_server_answer(r->server, decide(&q, &reply));
		} else if (smtp_server_output(r->server).n == 0) {
			break;
		}
		drain(r);
	}
	drain(r);
}

static void feed(struct run *r, struct slice bytes)
{
	size_t n, taken;

	serve(r);
	while (bytes.n && !r->closed) {
		n = cutter_next(&r->cutter, bytes.n);
		taken = smtp_server_feed(r->server, slice_head(bytes, n));
		bytes = slice_skip(bytes, taken);
		serve(r);
		FUZZ_CHECK(taken > 0 || r->closed);
	}
}

static void check_output(struct slice out)
{
	ptrdiff_t lf;

	while (out.n) {
		lf = slice_index(out, '\n');
		FUZZ_CHECK(lf >= 4 && out.p[lf - 1] == '\r');
		FUZZ_CHECK(out.p[0] >= '2' && out.p[0] <= '5');
		FUZZ_CHECK(out.p[3] == ' ' || out.p[3] == '-' ||
			   out.p[3] == '\r');
		for (ptrdiff_t i = 0; i < lf - 1; i++)
			FUZZ_CHECK(out.p[i] >= ' ' && out.p[i] < 127);
		out = slice_skip(out, (size_t)lf + 1);
	}
}

static void run(struct run *r, struct slice input, unsigned bits)
{
	const char *tls;
	size_t n;

	buf_init(&r->output, FUZZ_TEXT_MAX);
	buf_init(&r->asked, FUZZ_TEXT_MAX);
	configure(&r->config, bits);
	r->server = smtp_server_new(&r->config);
	smtp_server_greet(r->server, NULL);
	do {
		tls = input.n ? memmem(input.p, input.n, "\xf5\xf5", 2) : NULL;
		n = tls ? (size_t)(tls - input.p) : input.n;
		feed(r, slice_head(input, n));
		input = slice_skip(input, n + 2);
		if (r->tls && tls) {
			r->tls = false;
			smtp_server_tls_started(r->server);
			serve(r);
		}
	} while (tls);
	check_output(buf_slice(&r->output));
	smtp_server_free(r->server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_make(data, size);
	struct run runs[3] = {
		{.cutter = {.fixed = SIZE_MAX}},
		{.cutter = {.fixed = 1}},
		{.cutter = {.seed = fuzz_hash(input)}},
	};
	unsigned bits = 0;

	if (size >= 2 && data[0] >= 0xf8) {
		bits = (data[0] & 7u) << 8 | data[1];
		input = slice_skip(input, 2);
	}
	for (int i = 0; i < 3; i++) {
		run(&runs[i], input, bits);
		FUZZ_CHECK(slice_eq(buf_slice(&runs[0].output),
				    buf_slice(&runs[i].output)));
		FUZZ_CHECK(slice_eq(buf_slice(&runs[0].asked),
				    buf_slice(&runs[i].asked)));
	}
	for (int i = 0; i < 3; i++) {
		buf_done(&runs[i].output);
		buf_done(&runs[i].asked);
	}
	return 0;
}
