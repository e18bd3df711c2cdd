/*
 * Exported messages: what is taken can be stored (addresses are addresses,
 * destinations canonical, texts bounded), and written again and read again
 * it is the same.
 *
 * Input: the JSON of an export.
 */
#include "fuzz.h"
#include "mxhold/control/parcel.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"
#include "mxhold/storage/record.h"

static uint8_t record[RECORD_MESSAGE_MAX];

static void check_rcpt(const struct queue_rcpt *q)
{
	char canonical[DOMAIN_MAX];
	struct address a;
	struct recipient_record r = {
		.state = q->state,
		.kept = q->kept,
		.rcpt = q->rcpt,
		.attempts = q->attempts,
		.last_attempt_ms = q->last_attempt_ms,
		.first_5xx_ms = q->first_5xx_ms,
		.reply = q->reply,
		.remote = q->remote,
	};

	FUZZ_CHECK(address_parse(q->rcpt.address, true, &a) == ADDRESS_OK);
	FUZZ_CHECK(domain_canonical(q->rcpt.domain, canonical) == 0);
	FUZZ_CHECK(slice_eq(slice_str(canonical), q->rcpt.domain));
	FUZZ_CHECK(q->rcpt.notify <= 15);
	FUZZ_CHECK(record_encode_recipient(record, RECORD_RCPT_MAX, &r) > 0);
	for (size_t i = 0; i < q->rcpt.orcpt.n; i++)
		FUZZ_CHECK((unsigned char)q->rcpt.orcpt.p[i] > ' ');
}

static void check_storable(const struct parcel *p)
{
	struct message_record m = {
		.env = p->env,
		.size = p->past.size,
		.crc = p->past.crc,
		.held = p->held,
		.quarantined = p->quarantined,
		.message_id = p->message_id,
		.reason = p->reason,
	};
	bool open = false;

	FUZZ_CHECK(!(p->held && p->quarantined));
	FUZZ_CHECK(p->env.n_rcpts > 0 && p->env.n_rcpts <= QUEUE_RCPT_MAX);
	FUZZ_CHECK(p->env.arrived_at_ms > 0);
	for (size_t i = 0; i < p->env.n_rcpts; i++) {
		const struct queue_rcpt *r = &p->past.rcpts[i];

		check_rcpt(r);
		open = open || r->state == RCPT_PENDING || r->kept;
	}
	FUZZ_CHECK(open);
	FUZZ_CHECK(record_encode_message(record, sizeof(record), &m) > 0);
}

static json_t *format(const struct parcel *p)
{
	struct queue_message m = {
		.id = p->past.id,
		.state = p->held          ? QUEUE_HELD
			 : p->quarantined ? QUEUE_QUARANTINE
					  : QUEUE_READY,
		.env = p->env,
		.size = p->past.size,
		.crc = p->past.crc,
		.attempts = p->past.attempts,
		.maybe_duplicate = p->past.maybe_duplicate,
		.quarantined = p->quarantined,
		.message_id = p->message_id,
		.reason = p->reason,
		.rcpts = (struct queue_rcpt *)p->past.rcpts,
		.n_rcpts = p->env.n_rcpts,
	};

	return parcel_format(&m);
}

static void check_again(const struct parcel *p)
{
	json_t *first = format(p), *second;
	struct parcel back;
	struct arena arena;
	struct error err;

	arena_init(&arena, FUZZ_TEXT_MAX);
	FUZZ_CHECK(parcel_parse(first, &arena, &back, &err) == 0);
	second = format(&back);
	FUZZ_CHECK(json_equal(first, second));
	json_decref(first);
	json_decref(second);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size,
				  JSON_REJECT_DUPLICATES, NULL);
	struct error err = {0};
	struct parcel parcel;
	struct arena arena;

	if (!json)
		return 0;
	arena_init(&arena, FUZZ_TEXT_MAX);
	if (parcel_parse(json, &arena, &parcel, &err) == 0) {
		check_storable(&parcel);
		check_again(&parcel);
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
	}
	arena_done(&arena);
	json_decref(json);
	return 0;
}
