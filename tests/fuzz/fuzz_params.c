/*
 * Parameters of MAIL and RCPT, BDAT's and EHLO's arguments, xtext: what is
 * taken is well formed and lies within the input; what xtext says of any
 * octets is those octets.
 * Input: an octet of offers, then the text.
 */
#include <inttypes.h>
#include <stdio.h>

#include "fuzz.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/xtext.h"
#include "mxhold/smtp/bdat.h"
#include "mxhold/smtp/command.h"
#include "mxhold/smtp/params.h"

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
	FUZZ_CHECK(fuzz_is_within(p.envid, text) &&
		   p.envid.n <= SMTP_ENVID_MAX);
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
	FUZZ_CHECK(fuzz_is_within(p.orcpt, text) &&
		   p.orcpt.n <= SMTP_ORCPT_MAX);
	at = slice_index(p.orcpt, ';');
	FUZZ_CHECK(p.orcpt.n == 0 || at > 0);
	if (at > 0 && !slice_starts_nocase(p.orcpt, SLICE("utf-8;")))
		check_decoded(slice_skip(p.orcpt, (size_t)at + 1));
}

/* Any octets go through xtext, any characters through that of RFC 6533. */
static void check_xtext(struct slice text)
{
	struct buf xtext, back;

	buf_init(&xtext, FUZZ_TEXT_MAX);
	buf_init(&back, FUZZ_TEXT_MAX);
	FUZZ_CHECK(xtext_append(&xtext, text) == 0);
	FUZZ_CHECK(xtext_is_valid(buf_slice(&xtext)));
	FUZZ_CHECK(xtext_decode(buf_slice(&xtext), &back) == 0);
	FUZZ_CHECK(slice_eq(buf_slice(&back), text));
	FUZZ_CHECK((xtext_decode(text, &back) == 0) == xtext_is_valid(text));
	buf_clear(&xtext);
	buf_clear(&back);
	if (text_is_utf8(text) && slice_index(text, 0) < 0) {
		FUZZ_CHECK(utf8_xtext_append(&xtext, text) == 0);
		FUZZ_CHECK(text_is_ascii(buf_slice(&xtext)));
		FUZZ_CHECK(utf8_xtext_decode(buf_slice(&xtext), &back) == 0);
		FUZZ_CHECK(slice_eq(buf_slice(&back), text));
	}
	buf_clear(&back);
	if (utf8_xtext_is_valid(text, true)) {
		FUZZ_CHECK(utf8_xtext_decode(text, &back) == 0);
		FUZZ_CHECK(text_is_utf8(buf_slice(&back)));
	}
	buf_done(&xtext);
	buf_done(&back);
}

/* Written again it is the same: no other number is taken for it. */
static void check_bdat(struct slice text)
{
	struct smtp_bdat bdat, again;
	char same[64];

	if (smtp_bdat_parse(text, &bdat))
		return;
	snprintf(same, sizeof(same), "%" PRIu64 "%s", bdat.size,
		 bdat.last ? " LAST" : "");
	FUZZ_CHECK(smtp_bdat_parse(slice_str(same), &again) == 0);
	FUZZ_CHECK(again.size == bdat.size && again.last == bdat.last);
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

	check_mail(text, &offer);
	check_rcpt(text, &offer);
	check_xtext(text);
	check_bdat(text);
	for (int strict = 0; strict < 2; strict++) {
		if (smtp_command_helo(text, strict, &name))
			FUZZ_CHECK(name.n && name.n <= 256 &&
				   fuzz_is_within(name, text));
	}
	return 0;
}
