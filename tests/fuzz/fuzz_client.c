/*
 * The sending machine against any server: fed line by line, and the same
 * lines in pieces, it tells and says the same; events come in their order;
 * content leaves only behind 354, with CRLF and stuffed dots only.
 *
 * Input: what the server sends. The driver sends two messages, the second
 * after STARTTLS where that works, then QUIT.
 */
#include <string.h>

#include "fuzz.h"
#include "mxhold/smtp/client.h"

static const struct recipient rcpts[] = {
	{.address = {"b@d.test", 8}, .notify = DSN_NOTIFY_SUCCESS},
	{.address = {"\"x y\"@e.test", 12}},
	{.address = {"not an address", 14}},
	{.address = {"c@e.test", 8}, .orcpt = {"rfc822;c@e.test", 15}},
};

static const struct smtp_send messages[] = {
	{
		.sender = {"a@x.test", 8},
		.rcpts = rcpts,
		.n_rcpts = 4,
		.size = 20,
		.eight_bit = true,
	},
	{
		.rcpts = rcpts,
		.n_rcpts = 2,
		.size = 20,
		.body = BODY_BINARYMIME,
	},
};

static const char content[] = ".a\r\n\n.\r\r\n.\nb";

enum expect {
	AT_START,
	AT_IDLE,
	AT_MAIL,
	AT_RCPT,
	AT_BODY,
	AT_RESULT,
	AT_END
};

struct run {
	struct smtp_client *client;
	struct buf output, told;
	enum expect at;
	size_t next_rcpt, sent;
	bool tls_tried, tls;
};

static void drain(struct run *r)
{
	struct slice out = smtp_client_output(r->client);

	while (out.n) {
		buf_append_slice(&r->output, out);
		smtp_client_sent(r->client, out.n);
		out = smtp_client_output(r->client);
	}
}

static void on_idle(struct run *r)
{
	r->at = AT_IDLE;
	if (r->sent == 1 && !r->tls_tried) {
		r->tls_tried = true;
		smtp_client_start_tls(r->client);
	} else if (r->sent < 2) {
		r->at = AT_MAIL;
		r->next_rcpt = 0;
		smtp_client_send(r->client, &messages[r->sent++]);
	} else {
		smtp_client_quit(r->client);
	}
}

static void on_event(struct run *r, const struct smtp_event *e)
{
	switch (e->says) {
	case SMTP_SAYS_READY:
		FUZZ_CHECK(r->at == AT_START || r->at == AT_IDLE);
		on_idle(r);
		break;
	case SMTP_SAYS_GREETING:
	case SMTP_SAYS_REFUSED:
		FUZZ_CHECK(r->at == AT_START || r->at == AT_IDLE);
		if (e->reply.code != 421)
			smtp_client_quit(r->client);
		break;
	case SMTP_SAYS_MAIL:
		FUZZ_CHECK(r->at == AT_MAIL);
		r->at = AT_RCPT;
		break;
	case SMTP_SAYS_RCPT:
		FUZZ_CHECK(r->at == AT_RCPT && e->index == r->next_rcpt);
		r->next_rcpt++;
		break;
	case SMTP_SAYS_BODY:
		FUZZ_CHECK(r->at == AT_RCPT || r->at == AT_BODY);
		FUZZ_CHECK(r->next_rcpt == messages[r->sent - 1].n_rcpts);
		r->at = AT_BODY;
		smtp_client_body(r->client, slice_str(content));
		smtp_client_body_end(r->client);
		break;
	case SMTP_SAYS_RESULT:
		FUZZ_CHECK(r->at == AT_RCPT || r->at == AT_BODY);
		r->at = AT_RESULT;
		break;
	case SMTP_SAYS_DONE:
		FUZZ_CHECK(r->at > AT_MAIL && r->at < AT_END);
		on_idle(r);
		break;
	case SMTP_SAYS_TLS:
		FUZZ_CHECK(r->at == AT_IDLE);
		if (smtp_reply_class(&e->reply) == 2)
			r->tls = true;
		else if (e->reply.code != 421)
			on_idle(r);
		break;
	case SMTP_SAYS_CLOSED:
	case SMTP_SAYS_BROKEN:
		r->at = AT_END;
		break;
	default:
		abort();
	}
}

static void pump(struct run *r)
{
	struct smtp_event e;

	for (;;) {
		drain(r);
		e = smtp_client_next(r->client);
		if (e.says == SMTP_SAYS_NOTHING)
			break;
		FUZZ_CHECK(r->at != AT_END);
		buf_printf(&r->told, "%d %zu %d %s %s\n", e.says, e.index,
			   e.reply.code, e.reply.enhanced, e.reply.text);
		on_event(r, &e);
	}
	drain(r);
	if (r->tls) {
		r->tls = false;
		smtp_client_tls_started(r->client);
		drain(r);
	}
}

static void run(struct run *r, struct slice in, struct cutter cutter)
{
	buf_init(&r->output, FUZZ_TEXT_MAX);
	buf_init(&r->told, FUZZ_TEXT_MAX);
	r->client = smtp_client_new("relay.test");
	pump(r);
	while (in.n) {
		ptrdiff_t lf = slice_index(in, '\n');
		size_t n = lf < 0 ? in.n : (size_t)lf + 1;

		n = cutter_next(&cutter, n);
		smtp_client_feed(r->client, slice_head(in, n));
		in = slice_skip(in, n);
		pump(r);
	}
	smtp_client_free(r->client);
}

/* Of DATA dialogues only: no line end but CRLF. */
static void check_output(struct slice out)
{
	if (memmem(out.p, out.n, "BDAT ", 5))
		return;
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] == '\n')
			FUZZ_CHECK(i > 0 && out.p[i - 1] == '\r');
		if (out.p[i] == '\r')
			FUZZ_CHECK(i + 1 < out.n && out.p[i + 1] == '\n');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct run runs[3] = {{.sent = 0}};
	struct cutter cutters[3] = {
		{.fixed = SIZE_MAX}, {.fixed = 1}, {.seed = fuzz_hash(in)}};

	for (int i = 0; i < 3; i++) {
		run(&runs[i], in, cutters[i]);
		FUZZ_CHECK(slice_eq(buf_slice(&runs[0].told),
				    buf_slice(&runs[i].told)));
		FUZZ_CHECK(slice_eq(buf_slice(&runs[0].output),
				    buf_slice(&runs[i].output)));
	}
	check_output(buf_slice(&runs[0].output));
	for (int i = 0; i < 3; i++) {
		buf_done(&runs[i].output);
		buf_done(&runs[i].told);
	}
	return 0;
}
