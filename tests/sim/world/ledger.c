/* What was sent, and what was taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../net/sched.h"
#include "world.h"

#include "mxhold/base/buf.h"

/* --- names and content ---------------------------------------------------- */

void ledger_sender(int mail, char out[64])
{
	snprintf(out, 64, "s%d@sender%d.test", mail, mail % 5);
}

void ledger_rcpt(int mail, int rcpt, char out[64])
{
	const struct mail *m = &W->mails[mail];

	snprintf(out, 64, "u%d@d%d.test", m->user[rcpt], m->domain[rcpt]);
}

int ledger_find_mail(struct slice sender)
{
	char text[64];
	int mail;

	snprintf(text, sizeof(text), "%.*s", (int)MX_MIN(sender.n, 60),
		 sender.p);
	if (sscanf(text, "s%d@", &mail) != 1 || mail < 0 || mail >= W->n_mails)
		return -1;
	return mail;
}

int ledger_find_rcpt(int mail, struct slice address)
{
	char text[64];

	for (int i = 0; i < W->mails[mail].n_rcpts; i++) {
		ledger_rcpt(mail, i, text);
		if (slice_eq(address, slice_str(text)))
			return i;
	}
	return -1;
}

/* The same octets whenever they are asked for. */
void ledger_content(int mail, struct buf *out)
{
	const struct mail *m = &W->mails[mail];
	uint64_t x = W->seed * 1000003 + (uint64_t)mail;
	char line[128];

	buf_printf(out,
		   "X-Sim: %d\r\nFrom: <s%d@sender%d.test>\r\n"
		   "Subject: %llx\r\nMessage-ID: <%d.%llx@sender.test>\r\n\r\n",
		   mail, mail, mail % 5, (unsigned long long)x, mail,
		   (unsigned long long)W->seed);
	for (uint32_t i = 0; i < m->lines; i++) {
		size_t n;

		x = x * 6364136223846793005U + 1442695040888963407U;
		n = (x >> 33) % 77;
		memset(line, 'a' + (int)((x >> 41) % 26), n);
		if ((x >> 20) % 4 == 0)
			line[0] = '.';
		memcpy(line + MX_MAX(n, (x >> 20) % 4 == 0), "\r\n", 3);
		buf_append_str(out, line);
	}
}

/* --- our Received line ---------------------------------------------------- */

/* Octets of the first field, with its folds; 0: it is not there. */
static size_t first_field(struct slice content)
{
	size_t at = 0;

	if (!slice_starts_nocase(content, SLICE("Received:")))
		return 0;
	do {
		ptrdiff_t end = slice_index(slice_skip(content, at), '\n');

		if (end < 0)
			return 0;
		at += (size_t)end + 1;
	} while (at < content.n &&
		 (content.p[at] == ' ' || content.p[at] == '\t'));
	return at;
}

static bool find_qid(struct slice field, char out[QID + 1])
{
	for (size_t i = 1; i + QID + 4 < field.n; i++) {
		struct slice rest = slice_skip(field, i);

		if (strchr(" \t", field.p[i - 1]) == NULL ||
		    !slice_starts_nocase(rest, SLICE("id")))
			continue;
		rest = slice_skip(rest, 2);
		if (!strchr(" \t\r", rest.p[0]))
			continue;
		while (rest.n && strchr(" \t\r\n", rest.p[0]))
			rest = slice_skip(rest, 1);
		if (rest.n < QID)
			return false;
		memcpy(out, rest.p, QID);
		out[QID] = '\0';
		return true;
	}
	return false;
}

static bool is_as_sent(int mail, struct slice content, size_t field)
{
	struct buf sent;
	bool same;

	buf_init(&sent, 8 << 20);
	ledger_content(mail, &sent);
	if (W->control == CONTROL_ALTER && mail == 1)
		buf_append_str(&sent, "?");
	same = slice_eq(slice_skip(content, field), buf_slice(&sent));
	buf_done(&sent);
	return same;
}

/* --- taken ---------------------------------------------------------------- */

/* The same copy was taken before, and we were told so. */
static void look_for_double(const struct taken *t)
{
	for (int i = 0; i < W->n_taken; i++) {
		const struct taken *o = &W->taken[i];

		if (o == t || o->mail != t->mail || o->rcpt != t->rcpt ||
		    strcmp(o->qid, t->qid) != 0)
			continue;
		W->n_duplicates++;
		if (!o->unsure)
			broken("mail %d, recipient %d: %s was delivered twice, "
			       "first at %.3f s, and that was acknowledged",
			       t->mail, t->rcpt, t->qid,
			       (double)o->at_us / 1e6);
	}
}

static void add(int mail, int rcpt, const char *qid)
{
	struct taken *t = &W->taken[W->n_taken];

	if (W->n_taken == TAKEN_MAX)
		sim_broken("more deliveries than any plan can have");
	*t = (struct taken){.mail = (uint16_t)mail,
			    .rcpt = (uint8_t)rcpt,
			    .open = true,
			    .at_us = sim_now_us()};
	strcpy(t->qid, qid);
	W->n_taken++;
	W->mails[mail].taken |= (uint8_t)(1U << rcpt);
	look_for_double(t);
}

int ledger_take(int primary, int mail, unsigned rcpts, struct slice content,
		int *n)
{
	char qid[QID + 1] = "";
	size_t field = first_field(content);
	int first = W->n_taken;

	if (!field || !find_qid(slice_head(content, field), qid))
		broken("mail %d came without our Received line", mail);
	if (!is_as_sent(mail, content, field))
		broken("mail %d came with another content (%zu octets)", mail,
		       content.n - field);
	for (int i = 0; i < W->mails[mail].n_rcpts; i++) {
		if (!(rcpts & 1U << i))
			continue;
		if (W->control != CONTROL_LOSE || mail != 2)
			add(mail, i, qid);
		if (W->control == CONTROL_TWICE && mail == 1) {
			ledger_sure(W->n_taken - 1, 1);
			add(mail, i, qid);
		}
	}
	*n = W->n_taken - first;
	W->primaries[primary].taken++;
	say("primary %d takes mail %d as %s (%02x)", primary, mail, qid, rcpts);
	rules_taken(primary);
	return first;
}

void ledger_sure(int first, int n)
{
	for (int i = first; i < first + n; i++)
		W->taken[i].open = false;
}

void ledger_unsure(int first, int n)
{
	for (int i = first; i < first + n; i++) {
		if (W->taken[i].open)
			W->taken[i].unsure = true;
		W->taken[i].open = false;
	}
}

/* However slow or full the disk was: by then it was kept. */
static bool is_kept_by(const struct taken *t, int64_t now_us)
{
	return now_us - t->at_us > 10 * MINUTE;
}

void ledger_crash(void)
{
	for (int i = 0; i < W->n_taken; i++) {
		if (is_kept_by(&W->taken[i], W->now_us))
			ledger_sure(i, 1);
	}
	ledger_unsure(0, W->n_taken);
	for (int i = 0; i < W->n_mails; i++) {
		struct mail *m = &W->mails[i];

		if (!m->under_way)
			continue;
		m->n_unsure += m->dot_sent;
		m->under_way = m->dot_sent = false;
		m->next_us = W->now_us + MINUTE;
	}
}

/* It says which mail it is about by the header that it brings back. */
void ledger_report(struct slice content)
{
	int mail;
	char *at, *text = strndup(content.p, content.n);

	at = strstr(text, "X-Sim: ");
	if (at && sscanf(at, "X-Sim: %d", &mail) == 1 && mail >= 0 &&
	    mail < W->n_mails) {
		W->mails[mail].reported = 1;
		W->n_reports++;
		say("a report about mail %d", mail);
	} else {
		broken("a report that is about nothing");
	}
	free(text);
}

/* --- what is left --------------------------------------------------------- */

static bool is_refused_there(const struct mail *m, int rcpt)
{
	return m->kind == MAIL_SPAM || m->user[rcpt] == USERS - 1;
}

bool ledger_waits(int mail, int primary)
{
	const struct mail *m = &W->mails[mail];

	if (m->may_go)
		return false;
	for (int i = 0; i < m->n_rcpts; i++) {
		if (W->domain_primary[m->domain[i]] == primary &&
		    (m->acked & 1 << i) && !is_refused_there(m, i) &&
		    !(m->taken & 1 << i))
			return true;
	}
	return false;
}

bool ledger_may_have_expired(const struct mail *m, int64_t now_us)
{
	int64_t waited_us = now_us - m->began_us;

	if (W->set.clock_moves)
		waited_us += 24 * HOUR;
	return waited_us >= W->set.hard_limit_h * HOUR ||
	       waited_us >= W->set.retention_h * HOUR;
}

bool ledger_is_done(void)
{
	for (int i = 0; i < W->n_mails; i++) {
		const struct mail *m = &W->mails[i];

		if (m->next_us != NEVER || m->under_way)
			return false;
		for (int p = 0; p < W->n_primaries; p++) {
			if (ledger_waits(i, p))
				return false;
		}
	}
	return true;
}
