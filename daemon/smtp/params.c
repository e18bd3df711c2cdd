#include "mxhold/smtp/params.h"

#include "mxhold/base/attr.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/xtext.h"

enum {
	SIZE_DIGITS_MAX = 20, /* RFC 1870 6 */
	NOTIFY_MAX = 28,      /* RFC 3461 5.4 */
};

/* One keyword, perhaps with a value. */
struct param {
	struct slice name;
	struct slice value;
	bool has_value;
};

struct mail_row {
	struct slice name;
	enum smtp_params_result (*take)(const struct param *p,
					const struct smtp_params_offer *offer,
					struct smtp_mail_params *out);
};

struct rcpt_row {
	struct slice name;
	enum smtp_params_result (*take)(const struct param *p,
					const struct smtp_params_offer *offer,
					struct smtp_rcpt_params *out);
};

static bool is_keyword_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-';
}

/* esmtp-keyword and esmtp-value; UTF-8 is for the rows to allow. */
static bool is_well_formed(const struct param *p)
{
	size_t i;

	for (i = 0; i < p->name.n; i++) {
		if (!is_keyword_char((unsigned char)p->name.p[i]))
			return false;
	}
	for (i = 0; i < p->value.n; i++) {
		unsigned char c = (unsigned char)p->value.p[i];

		if (c <= ' ' || c == '=' || c == 127)
			return false;
	}
	return p->name.n && p->name.p[0] != '-' &&
	       (p->value.n || !p->has_value);
}

/* False at the end of the line. */
static bool next_param(struct slice *rest, struct param *p)
{
	struct slice from = *rest, word;
	ptrdiff_t at;

	while (from.n && from.p[0] == ' ')
		from = slice_skip(from, 1);
	at = slice_index(from, ' ');
	word = slice_head(from, at < 0 ? from.n : (size_t)at);
	*rest = slice_skip(from, word.n);
	at = slice_index(word, '=');
	p->has_value = at >= 0;
	p->name = slice_head(word, at < 0 ? word.n : (size_t)at);
	p->value = slice_skip(word, at < 0 ? word.n : (size_t)at + 1);
	return word.n > 0;
}

static enum smtp_params_result ok_if(bool good)
{
	return good ? SMTP_PARAMS_OK : SMTP_PARAMS_BAD;
}

static enum smtp_params_result take_size(const struct param *p,
					 const struct smtp_params_offer *offer,
					 struct smtp_mail_params *out)
{
	size_t i;

	(void)offer;
	if (!p->has_value || p->value.n > SIZE_DIGITS_MAX)
		return SMTP_PARAMS_BAD;
	for (i = 0; i < p->value.n; i++) {
		if (p->value.p[i] < '0' || p->value.p[i] > '9')
			return SMTP_PARAMS_BAD;
	}
	out->has_size = true;
	if (text_parse_u64(p->value, &out->size))
		out->size = UINT64_MAX;
	return SMTP_PARAMS_OK;
}

static enum smtp_params_result take_body(const struct param *p,
					 const struct smtp_params_offer *offer,
					 struct smtp_mail_params *out)
{
	if (!offer->body)
		return SMTP_PARAMS_UNKNOWN;
	if (slice_eq_nocase(p->value, SLICE("7BIT")))
		out->body = BODY_7BIT;
	else if (slice_eq_nocase(p->value, SLICE("8BITMIME")))
		out->body = BODY_8BITMIME;
	else if (!slice_eq_nocase(p->value, SLICE("BINARYMIME")))
		return SMTP_PARAMS_BAD;
	else if (!offer->binarymime)
		return SMTP_PARAMS_UNKNOWN;
	else
		out->body = BODY_BINARYMIME;
	return SMTP_PARAMS_OK;
}

static enum smtp_params_result take_utf8(const struct param *p,
					 const struct smtp_params_offer *offer,
					 struct smtp_mail_params *out)
{
	if (!offer->smtputf8)
		return SMTP_PARAMS_UNKNOWN;
	out->smtputf8 = true;
	return ok_if(!p->has_value);
}

static enum smtp_params_result
take_requiretls(const struct param *p, const struct smtp_params_offer *offer,
		struct smtp_mail_params *out)
{
	if (!offer->requiretls)
		return SMTP_PARAMS_UNKNOWN;
	out->requiretls = true;
	return ok_if(!p->has_value);
}

static enum smtp_params_result take_ret(const struct param *p,
					const struct smtp_params_offer *offer,
					struct smtp_mail_params *out)
{
	if (!offer->dsn)
		return SMTP_PARAMS_UNKNOWN;
	if (slice_eq_nocase(p->value, SLICE("FULL")))
		out->ret = DSN_RET_FULL;
	else if (slice_eq_nocase(p->value, SLICE("HDRS")))
		out->ret = DSN_RET_HDRS;
	else
		return SMTP_PARAMS_BAD;
	return SMTP_PARAMS_OK;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext that stands for printable ASCII and white space only (RFC 3461 4.2,
 * 4.4): no CR or LF comes in by the back door. */
static bool is_printable_xtext(struct slice s)
{
	size_t i;
	int c;

	if (!xtext_is_valid(s))
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '+')
			continue;
		if (s.n - i < 3)
			return false;
		c = hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]);
		if ((c < ' ' && c != '\t') || c >= 127)
			return false;
		i += 2;
	}
	return true;
}

static enum smtp_params_result take_envid(const struct param *p,
					  const struct smtp_params_offer *offer,
					  struct smtp_mail_params *out)
{
	if (!offer->dsn)
		return SMTP_PARAMS_UNKNOWN;
	out->envid = p->value;
	return ok_if(p->has_value && p->value.n <= SMTP_ENVID_MAX &&
		     is_printable_xtext(p->value));
}

static uint8_t notify_word(struct slice word)
{
	if (slice_eq_nocase(word, SLICE("NEVER")))
		return DSN_NOTIFY_NEVER;
	if (slice_eq_nocase(word, SLICE("SUCCESS")))
		return DSN_NOTIFY_SUCCESS;
	if (slice_eq_nocase(word, SLICE("FAILURE")))
		return DSN_NOTIFY_FAILURE;
	return slice_eq_nocase(word, SLICE("DELAY")) ? DSN_NOTIFY_DELAY : 0;
}

/* NEVER stands alone; no word twice (RFC 3461 4.1). */
static enum smtp_params_result
take_notify(const struct param *p, const struct smtp_params_offer *offer,
	    struct smtp_rcpt_params *out)
{
	struct slice rest = p->value;
	ptrdiff_t comma;
	uint8_t bit;

	if (!offer->dsn)
		return SMTP_PARAMS_UNKNOWN;
	if (rest.n > NOTIFY_MAX)
		return SMTP_PARAMS_BAD;
	do {
		comma = slice_index(rest, ',');
		bit = notify_word(
			slice_head(rest, comma < 0 ? rest.n : (size_t)comma));
		if (bit == 0 || out->notify & bit)
			return SMTP_PARAMS_BAD;
		out->notify |= bit;
		rest = slice_skip(rest, comma < 0 ? 0 : (size_t)comma + 1);
	} while (comma >= 0);
	return ok_if(!(out->notify & DSN_NOTIFY_NEVER) ||
		     out->notify == DSN_NOTIFY_NEVER);
}

static bool is_atom(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 127 || strchr("()<>@,;:\\\".[]", c))
			return false;
	}
	return s.n > 0;
}

static enum smtp_params_result take_orcpt(const struct param *p,
					  const struct smtp_params_offer *offer,
					  struct smtp_rcpt_params *out)
{
	ptrdiff_t semicolon = slice_index(p->value, ';');
	struct slice type, addr;

	if (!offer->dsn)
		return SMTP_PARAMS_UNKNOWN;
	if (semicolon < 0 || p->value.n > SMTP_ORCPT_MAX)
		return SMTP_PARAMS_BAD;
	type = slice_head(p->value, (size_t)semicolon);
	addr = slice_skip(p->value, (size_t)semicolon + 1);
	if (!is_atom(type) || addr.n == 0)
		return SMTP_PARAMS_BAD;
	out->orcpt = p->value;
	if (slice_eq_nocase(type, SLICE("utf-8")))
		return ok_if(utf8_xtext_is_valid(addr, offer->smtputf8));
	return ok_if(is_printable_xtext(addr));
}

static const struct mail_row mail_rows[] = {
	{SLICE("SIZE"), take_size},     {SLICE("BODY"), take_body},
	{SLICE("SMTPUTF8"), take_utf8}, {SLICE("REQUIRETLS"), take_requiretls},
	{SLICE("RET"), take_ret},       {SLICE("ENVID"), take_envid},
};

static const struct rcpt_row rcpt_rows[] = {
	{SLICE("NOTIFY"), take_notify},
	{SLICE("ORCPT"), take_orcpt},
};

static enum smtp_params_result mail_param(const struct param *p,
					  const struct smtp_params_offer *offer,
					  struct smtp_mail_params *out,
					  unsigned *seen)
{
	size_t i;

	for (i = 0; i < MX_ARRAY_SIZE(mail_rows); i++) {
		if (!slice_eq_nocase(p->name, mail_rows[i].name))
			continue;
		if (*seen & 1u << i)
			return SMTP_PARAMS_BAD;
		*seen |= 1u << i;
		return mail_rows[i].take(p, offer, out);
	}
	return SMTP_PARAMS_UNKNOWN;
}

static enum smtp_params_result rcpt_param(const struct param *p,
					  const struct smtp_params_offer *offer,
					  struct smtp_rcpt_params *out,
					  unsigned *seen)
{
	size_t i;

	for (i = 0; i < MX_ARRAY_SIZE(rcpt_rows); i++) {
		if (!slice_eq_nocase(p->name, rcpt_rows[i].name))
			continue;
		if (*seen & 1u << i)
			return SMTP_PARAMS_BAD;
		*seen |= 1u << i;
		return rcpt_rows[i].take(p, offer, out);
	}
	return SMTP_PARAMS_UNKNOWN;
}

enum smtp_params_result smtp_params_mail(struct slice text,
					 const struct smtp_params_offer *offer,
					 struct smtp_mail_params *out)
{
	enum smtp_params_result result = SMTP_PARAMS_OK;
	unsigned seen = 0;
	struct param p;

	*out = (struct smtp_mail_params){.has_size = false};
	while (result == SMTP_PARAMS_OK && next_param(&text, &p)) {
		if (!offer->esmtp)
			result = SMTP_PARAMS_UNKNOWN;
		else if (!is_well_formed(&p))
			result = SMTP_PARAMS_BAD;
		else
			result = mail_param(&p, offer, out, &seen);
	}
	return result;
}

enum smtp_params_result smtp_params_rcpt(struct slice text,
					 const struct smtp_params_offer *offer,
					 struct smtp_rcpt_params *out)
{
	enum smtp_params_result result = SMTP_PARAMS_OK;
	unsigned seen = 0;
	struct param p;

	*out = (struct smtp_rcpt_params){.notify = 0};
	while (result == SMTP_PARAMS_OK && next_param(&text, &p)) {
		if (!offer->esmtp)
			result = SMTP_PARAMS_UNKNOWN;
		else if (!is_well_formed(&p))
			result = SMTP_PARAMS_BAD;
		else
			result = rcpt_param(&p, offer, out, &seen);
	}
	return result;
}
