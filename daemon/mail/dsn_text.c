/* The part for people: who we are, what happened, what the sender can do. */
#include "mxhold/base/text.h"
#include "mxhold/mail/date.h"
#include "mxhold/mail/dsn_parts.h"

static const struct {
	const char *what, *advice;
} words[] = {
	[DSN_FAILED] = {"could not be delivered. No further attempt will be "
			"made.",
			"Please check the address, or reach the recipient in "
			"another way; the\r\nanswer of the other side stands "
			"above. To send the message again, send it\r\nas a "
			"new one."},
	[DSN_DELAYED] = {"has not been delivered yet. It is kept, and tried "
			 "again.",
			 "This is a warning only. You need not send the "
			 "message again."},
	[DSN_RELAYED] = {"was handed on to a mail system that sends no such "
			 "notices.",
			 "You may hear nothing more of it, even when all is "
			 "well."},
};

static bool has_action(const struct dsn *d, enum dsn_action action)
{
	for (size_t i = 0; i < d->n_rcpts; i++)
		if (d->rcpts[i].action == action)
			return true;
	return false;
}

static void put_recipient(struct dsn_writer *w, const struct dsn_recipient *r)
{
	dsn_put(w, "\r\n<");
	dsn_put_address(w, r->address);
	dsn_put(w, ">\r\n    Your message %s\r\n", words[r->action].what);
	if (r->remote_mta.n) {
		dsn_put(w, "    The host ");
		dsn_put_clean(w, r->remote_mta, 255);
		dsn_put(w, " said:\r\n");
	} else if (r->diagnostic.n) {
		dsn_put(w, "    The reason:\r\n");
	}
	dsn_put_lines(w, r->diagnostic, "        ", "        ");
	dsn_put_date(w, "    Last attempt", r->last_attempt_ms);
	if (r->action == DSN_DELAYED)
		dsn_put_date(w, "    To be tried until", r->retry_until_ms);
}

void dsn_put_text_part(struct dsn_writer *w)
{
	const struct dsn *d = w->dsn;
	char date[DATE_TEXT_MAX];

	date_format(d->original->arrived_at_ms, date);
	dsn_put(w, "\r\n--%s\r\nContent-Type: text/plain; charset=%s\r\n",
		w->boundary, w->utf8 ? "utf-8" : "us-ascii");
	if (w->utf8)
		dsn_put(w, "Content-Transfer-Encoding: 8bit\r\n");
	dsn_put(w,
		"\r\nThis is the mail system at host %s.\r\n\r\n"
		"It took a message from you on\r\n    %s\r\n"
		"under the number %.15s. This is what became of it:\r\n",
		d->hostname, date, d->qid);
	for (size_t i = 0; i < d->n_rcpts; i++)
		put_recipient(w, &d->rcpts[i]);
	for (size_t i = 0; i < MX_ARRAY_SIZE(words); i++)
		if (has_action(d, (enum dsn_action)i))
			dsn_put(w, "\r\n%s\r\n", words[i].advice);
	dsn_put(w, "\r\nFor help, write to <%s> and give the number above.\r\n",
		d->from);
}
