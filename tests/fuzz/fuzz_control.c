/*
 * The control protocol, both ways, and the filter a request may carry: what
 * is understood, written again, is one line of ASCII that is understood the
 * same. A filter's ids rise, its domain is canonical, and without one of its
 * conditions it matches all that it matched with it.
 *
 * Input: one line, without its LF.
 */
#include "fuzz.h"
#include "mxhold/base/text.h"
#include "mxhold/control/filter.h"
#include "mxhold/control/protocol.h"
#include "mxhold/mail/domain.h"

/* The line without its LF. */
static struct slice check_line(const struct buf *b)
{
	struct slice s = buf_slice(b);

	FUZZ_CHECK(s.n > 0 && s.p[s.n - 1] == '\n');
	s.n--;
	for (size_t i = 0; i < s.n; i++)
		FUZZ_CHECK(s.p[i] >= ' '); /* no octet above 127 either */
	return s;
}

/* --- filter ------------------------------------------------------------ */

enum {
	NOW_MS = 100000000
};

static struct queue_rcpt rcpts[] = {
	{.rcpt = {.address = {"Joe@A.example", 13}, .domain = {"a.example", 9}},
	 .reply = {"450 4.2.0 busy", 14}},
	{.rcpt = {.address = {"\"a@b\"@c.example", 15},
		  .domain = {"c.example", 9}}},
};

static const struct queue_message messages[] = {
	{.env = {.sender = {"x@Y.example", 11},
		 .client.addr = {4, {192, 0, 2, 1}},
		 .arrived_at_ms = NOW_MS - 7200000},
	 .state = QUEUE_RETRY,
	 .size = 5000,
	 .reason = {"timeout", 7},
	 .rcpts = rcpts,
	 .n_rcpts = 2},
	{.env = {.sender = {"", 0},
		 .client.addr = {6, {0x20, 1, 0xd, 0xb8}},
		 .arrived_at_ms = NOW_MS - 1000},
	 .state = QUEUE_HELD,
	 .rcpts = rcpts + 1,
	 .n_rcpts = 1},
	{.rcpts = NULL},
};

static void check_wider(const struct filter *f)
{
	struct filter wide[8];

	for (int i = 0; i < 8; i++)
		wide[i] = *f;
	wide[0].domain = NULL;
	wide[1].from = NULL;
	wide[2].to = NULL;
	wide[3].reason = NULL;
	wide[4].has_client = false;
	wide[5].older_ms = wide[5].newer_ms = -1;
	wide[6].size_min = 0;
	wide[6].size_max = UINT64_MAX;
	wide[7].states = 0;
	for (size_t i = 0; i < MX_ARRAY_SIZE(messages); i++) {
		bool narrow = filter_matches(f, &messages[i], NOW_MS);

		for (int k = 0; k < 8; k++)
			FUZZ_CHECK(
				!narrow ||
				filter_matches(&wide[k], &messages[i], NOW_MS));
	}
}

static void check_filter(const json_t *args)
{
	char canonical[DOMAIN_MAX];
	struct error err = {0};
	struct filter f;

	if (filter_parse(&f, args, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		filter_done(&f);
		return;
	}
	for (size_t i = 1; i < f.n_ids; i++)
		FUZZ_CHECK(f.ids[i - 1] < f.ids[i]);
	if (f.domain) {
		FUZZ_CHECK(domain_canonical(slice_str(f.domain), canonical) ==
			   0);
		FUZZ_CHECK(strcmp(canonical, f.domain) == 0);
	}
	FUZZ_CHECK(f.states < 1U << (QUEUE_QUARANTINE + 1));
	FUZZ_CHECK(!f.has_client || f.client.bits <= 128);
	check_wider(&f);
	filter_done(&f);
}

/* --- requests ---------------------------------------------------------- */

static void check_request(struct slice line)
{
	struct protocol_request r, back;
	struct error err = {0};
	struct buf b;

	if (protocol_parse_request(line, &r, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0' && r.root == NULL);
		return;
	}
	FUZZ_CHECK(json_is_object(r.args));
	buf_init(&b, FUZZ_TEXT_MAX);
	FUZZ_CHECK(protocol_append_request(&b, r.command, r.args) == 0);
	FUZZ_CHECK(protocol_parse_request(check_line(&b), &back, &err) == 0);
	FUZZ_CHECK(strcmp(r.command, back.command) == 0);
	FUZZ_CHECK(json_equal(r.args, back.args));
	check_filter(r.args);
	protocol_request_done(&back);
	protocol_request_done(&r);
	buf_done(&b);
}

/* --- responses --------------------------------------------------------- */

/* Hex of either case; what is none is for the reader of it to refuse. */
static int append_raw(struct buf *out, struct slice hex)
{
	uint8_t *bytes = malloc(hex.n / 2 + 1);
	int rc = -1;

	FUZZ_CHECK(bytes != NULL);
	if (text_unhex(hex, bytes, hex.n / 2) == 0)
		rc = protocol_append_raw(out, slice_make(bytes, hex.n / 2));
	free(bytes);
	return rc;
}

static int append(struct buf *out, const struct protocol_response *r)
{
	switch (r->kind) {
	case PROTOCOL_ROW:
		return protocol_append_row(out, r->value);
	case PROTOCOL_RESULT:
		return protocol_append_result(out, r->value);
	case PROTOCOL_RAW:
		return append_raw(out, r->hex);
	case PROTOCOL_END:
		return protocol_append_end(out, r->exit, r->error);
	}
	abort();
}

static void check_same(const struct protocol_response *a,
		       const struct protocol_response *b)
{
	FUZZ_CHECK(a->kind == b->kind);
	if (a->kind == PROTOCOL_RAW)
		FUZZ_CHECK(slice_eq_nocase(a->hex, b->hex));
	else if (a->kind == PROTOCOL_END)
		FUZZ_CHECK(a->exit == b->exit &&
			   strcmp(a->error, b->error) == 0);
	else
		FUZZ_CHECK(json_equal(a->value, b->value));
}

static void check_response(struct slice line)
{
	struct protocol_response r, back;
	struct error err = {0};
	struct buf b;

	if (protocol_parse_response(line, &r, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0' && r.root == NULL);
		return;
	}
	buf_init(&b, FUZZ_TEXT_MAX);
	if (append(&b, &r) == 0) {
		FUZZ_CHECK(protocol_parse_response(check_line(&b), &back,
						   &err) == 0);
		check_same(&r, &back);
		protocol_response_done(&back);
	} else {
		FUZZ_CHECK(r.kind == PROTOCOL_RAW && b.n == 0);
	}
	protocol_response_done(&r);
	buf_done(&b);
}

/* Any octets make a text that JSON can carry. */
static void check_text(struct slice s)
{
	json_t *text = protocol_text(s);

	if (slice_index(s, '\0') < 0)
		FUZZ_CHECK(text != NULL);
	json_decref(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line = slice_make(data, size);

	check_request(line);
	check_response(line);
	check_text(line);
	return 0;
}
