/*
 * Parameters of MAIL and RCPT, BDAT's and EHLO's arguments, XCLIENT's
 * attributes: what is taken is well formed and lies within the input.
 * Input: an octet of offers, then the text.
 */
#include "fuzz.h"
#include "mxhold/base/arena.h"
#include "mxhold/mail/xtext.h"
#include "mxhold/smtp/bdat.h"
#include "mxhold/smtp/command.h"
#include "mxhold/smtp/params.h"
#include "mxhold/smtp/xclient.h"

static bool is_within(struct slice part, struct slice whole)
{
	return part.n == 0 ||
	       (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_decoded(struct slice value)
{
	struct buf raw;

	buf_init(&raw, 4096);
	FUZZ_CHECK(xtext_decode(value, &raw) == 0);
	for (size_t i = 0; i < raw.n; i++) {
		unsigned char c = (unsigned char)buf_slice(&raw).p[i];

		FUZZ_CHECK((c >= ' ' && c < 127) || c == '\t');
	}
	buf_done(&raw);
}

static void check_mail(struct slice text, const struct smtp_params_offer *o)
{
	struct smtp_mail_params p;

	if (smtp_params_mail(text, o, &p) != SMTP_PARAMS_OK)
		return;
	FUZZ_CHECK(o->smtputf8 || !p.smtputf8);
	FUZZ_CHECK(o->requiretls || !p.requiretls);
	FUZZ_CHECK(o->binarymime || p.body != BODY_BINARYMIME);
	FUZZ_CHECK(is_within(p.envid, text) && p.envid.n <= SMTP_ENVID_MAX);
	check_decoded(p.envid);
}

static void check_rcpt(struct slice text, const struct smtp_params_offer *o)
{
	struct smtp_rcpt_params p;
	ptrdiff_t at;

	if (smtp_params_rcpt(text, o, &p) != SMTP_PARAMS_OK)
		return;
	FUZZ_CHECK(!(p.notify & DSN_NOTIFY_NEVER) ||
		   p.notify == DSN_NOTIFY_NEVER);
	FUZZ_CHECK(is_within(p.orcpt, text) && p.orcpt.n <= SMTP_ORCPT_MAX);
	at = slice_index(p.orcpt, ';');
	FUZZ_CHECK(p.orcpt.n == 0 || at > 0);
	if (at > 0 && !slice_starts_nocase(p.orcpt, SLICE("utf-8;")))
		check_decoded(slice_skip(p.orcpt, (size_t)at + 1));
}

static void check_xclient(struct slice text)
{
	struct smtp_xclient x;
	struct inet_addr addr;
	struct arena arena;

	arena_init(&arena, 65536);
	if (smtp_xclient_parse(text, &arena, &x) == 0 && x.addr.n)
		FUZZ_CHECK(inet_parse(x.addr, &addr) == 0);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_skip(slice_make(data, size), 1), name;
	unsigned bits = size ? data[0] : 0;
	struct smtp_params_offer offer = {
		.esmtp = !(bits & 1),
		.binarymime = bits & 2,
		.smtputf8 = bits & 4,
		.requiretls = bits & 8,
	};
	struct smtp_bdat bdat;

	check_mail(text, &offer);
	check_rcpt(text, &offer);
	check_xclient(text);
	smtp_bdat_parse(text, &bdat);
	for (int strict = 0; strict < 2; strict++) {
		if (smtp_command_helo(text, strict, &name))
			FUZZ_CHECK(name.n && name.n <= 256 &&
				   is_within(name, text));
	}
	return 0;
}
