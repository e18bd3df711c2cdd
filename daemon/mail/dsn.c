/* The report as a whole: who wants one, its header, its three parts. */
#include "mxhold/mail/dsn.h"

#include <inttypes.h>
#include <stdio.h>

#include "mxhold/base/text.h"
#include "mxhold/mail/dsn_parts.h"

bool dsn_is_wanted(const struct envelope *env, uint8_t notify,
		   enum dsn_action action)
{
	static const uint8_t asks[] = {
		[DSN_FAILED] = DSN_NOTIFY_FAILURE,
		[DSN_DELAYED] = DSN_NOTIFY_DELAY,
		[DSN_RELAYED] = DSN_NOTIFY_SUCCESS,
	};

	/* RFC 5321 6.1: none about a notification. */
	if (env->sender.n == 0 || env->is_report)
		return false;
	if (notify == 0) /* RFC 3461 5.2.2, 5.2.5, 5.2.6 */
		return action != DSN_RELAYED;
	return !(notify & DSN_NOTIFY_NEVER) && (notify & asks[action]);
}

/* Non-ASCII in an original that came with SMTPUTF8. */
static bool original_is_utf8(const struct dsn *d)
{
	const struct envelope *env = d->original;
	bool utf8 = env->utf8_header || !text_is_ascii(env->sender);

	for (size_t i = 0; i < d->n_rcpts && !utf8; i++)
		utf8 = !text_is_ascii(d->rcpts[i].address);
	return env->smtputf8 && utf8;
}

bool dsn_is_utf8(const struct dsn *d)
{
	/* An address that is not ASCII is reached with SMTPUTF8 alone. */
	return original_is_utf8(d) &&
	       (!d->seven_bit || !text_is_ascii(d->original->sender));
}

/* RFC 2046 5.1.1: it must not occur in what it parts. */
static int choose_boundary(struct dsn_writer *w)
{
	for (uint64_t i = 0; i < 16; i++) {
		snprintf(w->boundary, sizeof(w->boundary),
			 "=_%.15s_%016" PRIx64, w->dsn->qid,
			 w->dsn->unique + i);
		if (!w->dsn->content.n ||
		    !memmem(w->dsn->content.p, w->dsn->content.n, w->boundary,
			    strlen(w->boundary)))
			return 0;
	}
	return -1;
}

static const char *subject(const struct dsn *d)
{
	static const char *const subjects[] = {
		[DSN_FAILED] = "Delivery Status Notification (Failure)",
		[DSN_DELAYED] = "Delivery Status Notification (Delay)",
		[DSN_RELAYED] = "Delivery Status Notification (Success)",
	};
	enum dsn_action worst = DSN_RELAYED;

	for (size_t i = 0; i < d->n_rcpts; i++)
		worst = MX_MIN(worst, d->rcpts[i].action);
	return subjects[worst];
}

static void put_header(struct dsn_writer *w)
{
	const struct dsn *d = w->dsn;

	dsn_put_date(w, "Date", d->now_ms);
	dsn_put(w, "From: Mail Delivery System <%s>\r\nTo: <", d->from);
	dsn_put_address(w, d->original->sender);
	dsn_put(w, ">\r\nSubject: %s\r\n", subject(d));
	dsn_put(w, "Message-ID: <%016" PRIx64 ".%.15s@%s>\r\n", d->unique,
		d->qid, d->hostname);
	/* One that is not ASCII is left out rather than mangled. */
	if (w->scan.message_id[0] &&
	    (w->utf8 || text_is_ascii(slice_str(w->scan.message_id))))
		dsn_put(w, "In-Reply-To: %s\r\nReferences: %s\r\n",
			w->scan.message_id, w->scan.message_id);
	/* RFC 3834 5.2: a report is a reply, not auto-generated. */
	dsn_put(w, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	dsn_put(w,
		"Content-Type: multipart/report; "
		"report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n",
		w->boundary);
	if (w->utf8 || (!d->seven_bit && dsn_original_is_8bit(w)))
		dsn_put(w, "Content-Transfer-Encoding: 8bit\r\n");
	dsn_put(w, "\r\nThis is a report in MIME format.\r\n");
}

int dsn_build(struct buf *out, const struct dsn *d)
{
	struct dsn_writer w = {.out = out, .dsn = d, .utf8 = dsn_is_utf8(d)};
	size_t before = out->n;

	header_scan_init(&w.scan);
	header_scan_feed(&w.scan, d->content);
	header_scan_end(&w.scan);
	if (choose_boundary(&w))
		return -1;
	put_header(&w);
	dsn_put_text_part(&w);
	dsn_put_status_part(&w);
	dsn_put_original_part(&w);
	dsn_put(&w, "\r\n--%s--\r\n", w.boundary);
	if (!w.full)
		return 0;
	buf_truncate(out, before);
	return -1;
}
