/* message/delivery-status (RFC 3464 2), and its form of RFC 6533 4. */
#include "mxhold/base/text.h"
#include "mxhold/mail/dsn_parts.h"
#include "mxhold/mail/xtext.h"

enum {
	DECODED_MAX = 1024,
	ENVID_MAX_SHOWN = 500 /* more than 100 comes by an import alone */
};

/* RFC 3464 2.3.4: three numbers without leading zeros. */
static bool is_status(const char *s)
{
	int numbers = 0;

	for (;;) {
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 3 || (n > 1 && s[0] == '0'))
			return false;
		if (++numbers == 1 && n != 1)
			return false;
		s += n;
		if (numbers == 3)
			return *s == '\0';
		if (*s++ != '.')
			return false;
	}
}

static void put_status(struct dsn_writer *w, const struct dsn_recipient *r)
{
	static const struct {
		const char *classes; /* that fit; the first is put instead */
		const char *unknown;
	} fit[] = {
		[DSN_FAILED] = {"54", "5.0.0"},
		[DSN_DELAYED] = {"4", "4.0.0"},
		[DSN_RELAYED] = {"2", "2.0.0"},
	};
	char status[sizeof(r->status)];

	memcpy(status, r->status, sizeof(status));
	status[sizeof(status) - 1] = '\0';
	if (!is_status(status))
		memcpy(status, fit[r->action].unknown, sizeof("5.0.0"));
	if (!strchr(fit[r->action].classes, status[0]))
		status[0] = fit[r->action].classes[0];
	dsn_put(w, "Status: %s\r\n", status);
}

/* "type;xtext" as the client gave it -> "type; what it means". */
static void put_orcpt(struct dsn_writer *w, struct slice orcpt)
{
	ptrdiff_t semicolon = slice_index(orcpt, ';');
	struct buf plain MX_CLEANUP(buf_done);
	struct slice type, value;
	int failed;

	buf_init(&plain, DECODED_MAX);
	if (semicolon < 1)
		return;
	type = slice_head(orcpt, (size_t)semicolon);
	value = slice_skip(orcpt, (size_t)semicolon + 1);
	if (slice_eq_nocase(type, SLICE("utf-8")))
		failed = utf8_xtext_decode(value, &plain);
	else
		failed = xtext_decode(value, &plain);
	dsn_put(w, "Original-Recipient: ");
	dsn_put_clean(w, type, 40);
	dsn_put(w, "; ");
	dsn_put_address(w, failed ? value : buf_slice(&plain));
	dsn_put(w, "\r\n");
}

/* A reply begins with its code; what we found out ourselves does not. */
static bool is_reply(struct slice s)
{
	return s.n >= 3 && s.p[0] >= '2' && s.p[0] <= '5' && s.p[1] >= '0' &&
	       s.p[1] <= '9' && s.p[2] >= '0' && s.p[2] <= '9';
}

static void put_recipient(struct dsn_writer *w, const struct dsn_recipient *r)
{
	static const char *const actions[] = {
		[DSN_FAILED] = "failed",
		[DSN_DELAYED] = "delayed",
		[DSN_RELAYED] = "relayed",
	};

	dsn_put(w, "\r\n");
	put_orcpt(w, r->orcpt);
	dsn_put(w, "Final-Recipient: %s; ",
		text_is_ascii(r->address) ? "rfc822" : "utf-8");
	dsn_put_address(w, r->address);
	dsn_put(w, "\r\nAction: %s\r\n", actions[r->action]);
	put_status(w, r);
	if (r->remote_mta.n) {
		dsn_put(w, "Remote-MTA: dns; ");
		dsn_put_clean(w, r->remote_mta, 255);
		dsn_put(w, "\r\n");
	}
	dsn_put_lines(w, r->diagnostic,
		      is_reply(r->diagnostic) ? "Diagnostic-Code: smtp; "
					      : "Diagnostic-Code: x-mxhold; ",
		      " ");
	dsn_put_date(w, "Last-Attempt-Date", r->last_attempt_ms);
	if (r->action == DSN_DELAYED)
		dsn_put_date(w, "Will-Retry-Until", r->retry_until_ms);
}

static void put_envid(struct dsn_writer *w, struct slice envid)
{
	struct buf plain MX_CLEANUP(buf_done);

	buf_init(&plain, DECODED_MAX);
	if (envid.n == 0)
		return;
	dsn_put(w, "Original-Envelope-Id: ");
	dsn_put_clean(w,
		      xtext_decode(envid, &plain) ? envid : buf_slice(&plain),
		      ENVID_MAX_SHOWN);
	dsn_put(w, "\r\n");
}

static void put_received_from(struct dsn_writer *w, const struct envelope *env)
{
	char ip[INET_TEXT_MAX];

	if (env->helo.n == 0)
		return;
	dsn_put(w, "Received-From-MTA: dns; ");
	dsn_put_clean(w, env->helo, 255);
	if (env->client.addr.family) {
		inet_format_literal(&env->client.addr, ip);
		dsn_put(w, " (%s)", ip);
	}
	dsn_put(w, "\r\n");
}

void dsn_put_status_part(struct dsn_writer *w)
{
	const struct dsn *d = w->dsn;

	dsn_put(w, "\r\n--%s\r\n", w->boundary);
	dsn_put(w, w->utf8 ? "Content-Type: message/global-delivery-status\r\n"
			     "Content-Transfer-Encoding: 8bit\r\n\r\n"
			   : "Content-Type: message/delivery-status\r\n\r\n");
	dsn_put(w, "Reporting-MTA: dns; %s\r\n", d->hostname);
	put_envid(w, d->original->envid);
	put_received_from(w, d->original);
	dsn_put_date(w, "Arrival-Date", d->original->arrived_at_ms);
	for (size_t i = 0; i < d->n_rcpts; i++)
		put_recipient(w, &d->rcpts[i]);
}
