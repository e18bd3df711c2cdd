#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/xtext.h"
#include "mxhold/smtp/client_machine.h"

enum {
	DOMAINS_MAX = 4096 /* remembered; beyond it none is new */
};

/* Only what was offered is used (RFC 5321 4.1.1.3). */
static bool offers(const struct smtp_client *c, uint32_t ext)
{
	return (c->ehlo.ext & ext) == ext;
}

static bool uses_utf8(const struct smtp_client *c)
{
	return c->send.smtputf8 && offers(c, EXT_SMTPUTF8);
}

bool client_is_chunked(const struct smtp_client *c)
{
	return c->send.body == BODY_BINARYMIME &&
	       offers(c, EXT_BINARYMIME | EXT_CHUNKING);
}

/* ---- what must not be sent ---- */

static enum client_skip check_address(const struct smtp_client *c,
				      struct slice text)
{
	struct address a;

	if (address_parse(text, true, &a) != ADDRESS_OK)
		return SKIP_ADDRESS;
	return a.utf8 && !uses_utf8(c) ? SKIP_UTF8 : SKIP_NO;
}

enum client_skip client_check_mail(const struct smtp_client *c)
{
	return c->send.sender.n ? check_address(c, c->send.sender) : SKIP_NO;
}

/* FNV-1a over the domain in lower case; a collision costs nothing here. */
static uint64_t domain_hash(struct slice address)
{
	uint64_t h = 14695981039346656037u;
	size_t i = address.n;

	while (i > 0 && address.p[i - 1] != '@')
		i--;
	for (; i < address.n; i++) {
		unsigned char ch = (unsigned char)address.p[i];

		ch = ch >= 'A' && ch <= 'Z' ? ch + ('a' - 'A') : ch;
		h = (h ^ ch) * 1099511628211u;
	}
	return h;
}

static bool has_room_for_domain(struct smtp_client *c, struct slice address)
{
	size_t max = MX_MIN(c->ehlo.rcpt_domain_max, (uint32_t)DOMAINS_MAX);
	uint64_t hash, *grown;
	size_t i;

	if (max == 0)
		return true;
	hash = domain_hash(address);
	for (i = 0; i < c->n_domains; i++) {
		if (c->domains[i] == hash)
			return true;
	}
	if (c->n_domains >= max)
		return false;
	grown = mem_try_realloc(c->domains, (c->n_domains + 1) * sizeof(hash));
	if (!grown)
		return false;
	c->domains = grown;
	c->domains[c->n_domains++] = hash;
	return true;
}

enum client_skip client_check_rcpt(struct smtp_client *c,
				   const struct recipient *r)
{
	enum client_skip why = check_address(c, r->address);

	if (why != SKIP_NO)
		return why;
	if (c->ehlo.rcpt_max && c->rcpts_sent >= c->ehlo.rcpt_max)
		return SKIP_LIMIT;
	return has_room_for_domain(c, r->address) ? SKIP_NO : SKIP_LIMIT;
}

void client_skip_reply(enum client_skip why, struct smtp_reply *out)
{
	if (why == SKIP_LIMIT)
		smtp_reply_set(out, 452, "4.5.3",
			       "not sent: the server's limit is reached");
	else if (why == SKIP_UTF8)
		smtp_reply_set(out, 553, "5.6.7",
			       "not sent: the server lacks SMTPUTF8");
	else
		smtp_reply_set(out, 553, "5.1.3", "not sent: not an address");
}

/* ---- MAIL ---- */

/* The local part goes with the least quoting (RFC 5321 4.1.2). */
static int append_path(struct buf *b, struct slice text)
{
	struct address a;

	if (text.n == 0)
		return buf_append_str(b, "<>");
	address_parse(text, true, &a);
	return buf_append_str(b, "<") || address_append_local(b, &a) ||
	       (a.domain.n && buf_append_str(b, "@")) ||
	       buf_append_slice(b, a.domain) || buf_append_str(b, ">");
}

static int append_value(struct buf *b, const char *name, struct slice value)
{
	return buf_append_str(b, name) || buf_append_slice(b, value);
}

static int append_body_type(struct buf *b, const struct smtp_client *c)
{
	if (client_is_chunked(c))
		return buf_append_str(b, " BODY=BINARYMIME");
	if (!offers(c, EXT_8BITMIME) ||
	    (!c->send.eight_bit && c->send.body != BODY_8BITMIME))
		return 0;
	return buf_append_str(b, " BODY=8BITMIME");
}

static int append_mail_dsn(struct buf *b, const struct smtp_send *m)
{
	if (m->ret != DSN_RET_UNSAID &&
	    append_value(b, " RET=",
			 m->ret == DSN_RET_FULL ? SLICE("FULL")
						: SLICE("HDRS")))
		return -1;
	return m->envid.n ? append_value(b, " ENVID=", m->envid) : 0;
}

int client_append_mail(struct smtp_client *c)
{
	const struct smtp_send *m = &c->send;
	struct buf *b = &c->out;

	return buf_append_str(b, "MAIL FROM:") || append_path(b, m->sender) ||
			       (offers(c, EXT_SIZE) &&
				buf_printf(b, " SIZE=%llu",
					   (unsigned long long)m->size)) ||
			       append_body_type(b, c) ||
			       (uses_utf8(c) &&
				buf_append_str(b, " SMTPUTF8")) ||
			       (m->requiretls && offers(c, EXT_REQUIRETLS) &&
				buf_append_str(b, " REQUIRETLS")) ||
			       (offers(c, EXT_DSN) && append_mail_dsn(b, m)) ||
			       buf_append_str(b, "\r\n")
		       ? -1
		       : 0;
}

/* ---- RCPT ---- */

static int append_notify(struct buf *b, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {
		{DSN_NOTIFY_NEVER, "NEVER"},
		{DSN_NOTIFY_SUCCESS, "SUCCESS"},
		{DSN_NOTIFY_FAILURE, "FAILURE"},
		{DSN_NOTIFY_DELAY, "DELAY"},
	};
	const char *before = " NOTIFY=";
	size_t i;

	for (i = 0; i < MX_ARRAY_SIZE(words); i++) {
		if (!(notify & words[i].bit))
			continue;
		if (buf_append_str(b, before) ||
		    buf_append_str(b, words[i].word))
			return -1;
		before = ",";
	}
	return 0;
}

/* Raw UTF-8 in ORCPT needs SMTPUTF8; else the \x{} form (RFC 6533 3). */
static int append_orcpt(struct buf *b, struct slice orcpt, bool utf8)
{
	struct slice addr = slice_skip(orcpt, 6);
	struct buf raw;
	int ret;

	if (orcpt.n == 0)
		return 0;
	if (utf8 || text_is_ascii(orcpt) ||
	    !slice_starts_nocase(orcpt, SLICE("utf-8;")))
		return append_value(b, " ORCPT=", orcpt);
	buf_init(&raw, 2048);
	ret = utf8_xtext_decode(addr, &raw) ||
	      buf_append_str(b, " ORCPT=utf-8;") ||
	      utf8_xtext_append(b, buf_slice(&raw));
	buf_done(&raw);
	return ret;
}

int client_append_rcpt(struct smtp_client *c, const struct recipient *r)
{
	struct buf *b = &c->out;
	bool dsn = offers(c, EXT_DSN);

	return buf_append_str(b, "RCPT TO:") || append_path(b, r->address) ||
			       (dsn && append_notify(b, r->notify)) ||
			       (dsn &&
				append_orcpt(b, r->orcpt, uses_utf8(c))) ||
			       buf_append_str(b, "\r\n")
		       ? -1
		       : 0;
}

/* ---- what fits ---- */

struct smtp_reply smtp_client_fits(const struct smtp_client *c,
				   const struct smtp_send *m)
{
	struct smtp_reply r = {.code = 0};

	if (c->ehlo.size && m->size > c->ehlo.size)
		smtp_reply_set(&r, 552, "5.3.4",
			       "the server takes %llu octets at most",
			       (unsigned long long)c->ehlo.size);
	else if (m->requiretls && m->sender.n && !offers(c, EXT_REQUIRETLS))
		smtp_reply_set(&r, 550, "5.7.30",
			       "the server lacks REQUIRETLS");
	else if (m->body == BODY_BINARYMIME &&
		 !offers(c, EXT_BINARYMIME | EXT_CHUNKING))
		smtp_reply_set(&r, 554, "5.6.3", "the server lacks BINARYMIME");
	else if (m->smtputf8 && !offers(c, EXT_SMTPUTF8))
		smtp_reply_set(&r, 550, "5.6.7", "the server lacks SMTPUTF8");
	else if (m->eight_bit && !offers(c, EXT_8BITMIME))
		smtp_reply_set(&r, 554, "5.6.3", "the server lacks 8BITMIME");
	return r;
}
