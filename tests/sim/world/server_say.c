/* What a primary answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#include "mxhold/smtp/ehlo.h"

static bool has(const struct peer *p, enum fault_kind k)
{
	return p->primary >= 0 && truth_has(p->primary, k);
}

/* --- EHLO ----------------------------------------------------------------- */

static uint32_t extensions_of(const struct peer *p)
{
	uint32_t all =
		p->primary < 0
			? EXT_8BITMIME | EXT_SIZE
			: W->primaries[p->primary].hosts[p->host].extensions;

	return p->has_tls ? all & ~(uint32_t)EXT_STARTTLS : all;
}

static void ehlo(struct peer *p)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {
		{EXT_PIPELINING, "PIPELINING"},
		{EXT_SIZE, "SIZE 52428800"},
		{EXT_8BITMIME, "8BITMIME"},
		{EXT_DSN, "DSN"},
		{EXT_CHUNKING, "CHUNKING"},
		{EXT_STARTTLS, "STARTTLS"},
		{EXT_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES"},
	};
	uint32_t extensions = extensions_of(p);
	char text[512] = "250-hello";

	if (has(p, FAULT_EHLO_554)) {
		peer_say(p, "554 5.7.1 not you");
		return;
	}
	peer_end_mail(p);
	for (size_t i = 0; i < MX_ARRAY_SIZE(words); i++) {
		if (extensions & words[i].bit) {
			strcat(text, "\r\n250-");
			strcat(text, words[i].word);
		}
	}
	strcat(text, "\r\n250 HELP");
	peer_say(p, text);
}

/* --- MAIL, RCPT ----------------------------------------------------------- */

static struct slice path_of(const char *line)
{
	const char *from = strchr(line, '<');
	const char *to = from ? strchr(from, '>') : NULL;

	if (!to)
		return SLICE("?");
	return slice_make(from + 1, (size_t)(to - from - 1));
}

static bool is_worn_out(const struct peer *p)
{
	uint32_t most;

	if (p->primary < 0)
		return false;
	most = W->primaries[p->primary].hosts[p->host].per_session;
	return most && (uint32_t)p->used >= most;
}

static void begin_real_mail(struct peer *p)
{
	struct primary *primary = &W->primaries[p->primary];

	primary->sessions += !p->carries;
	p->carries = true;
	p->mail_us = sim_now_us();
	p->used++;
	rules_mail_begins(p->primary, p->mail, p->used);
	primary->transactions++;
	p->is_open = true;
}

static void mail(struct peer *p, const char *line)
{
	struct slice sender = path_of(line);

	peer_end_mail(p);
	p->good_rcpts = 0;
	p->has_sender = false;
	p->is_probe = p->primary >= 0 && sender.n == 0;
	if (p->primary >= 0 && !p->is_probe) {
		p->mail = ledger_find_mail(sender);
		if (p->mail < 0) {
			broken("mail from nobody: %s", line);
			return;
		}
		if (is_worn_out(p)) {
			say("primary %d has enough of mail %d's session",
			    p->primary, p->mail);
			peer_say_and_close(p, "421 4.7.0 enough for now");
			return;
		}
		begin_real_mail(p);
	}
	if (has(p, FAULT_MAIL_550) || has(p, FAULT_MAIL_451)) {
		peer_end_mail(p);
		peer_say(p, has(p, FAULT_MAIL_550) ? "550 5.7.1 not from you"
						   : "451 4.3.0 not now");
		return;
	}
	p->has_sender = true;
	peer_say(p, "250 2.1.0 ok");
}

static const char *judge_rcpt(struct peer *p, struct slice address)
{
	int rcpt;

	if (has(p, FAULT_RCPT_550))
		return "550 5.1.1 no such user";
	if (has(p, FAULT_RCPT_450) ||
	    (W->control == CONTROL_STUCK && p->mail == 0))
		return "450 4.7.1 greylisted";
	if (p->is_probe || p->primary < 0)
		return NULL;
	rcpt = ledger_find_rcpt(p->mail, address);
	if (rcpt < 0) {
		broken("mail %d is not for %.*s", p->mail, (int)address.n,
		       address.p);
		return "550 5.1.1 no such user";
	}
	if (W->domain_primary[W->mails[p->mail].domain[rcpt]] != p->primary)
		broken("mail %d goes to the wrong primary", p->mail);
	if (W->mails[p->mail].user[rcpt] == USERS - 1)
		return "550 5.1.1 that user is gone";
	p->rcpts |= 1U << rcpt;
	return NULL;
}

static void rcpt(struct peer *p, const char *line)
{
	const char *no;

	if (!p->has_sender) {
		peer_say(p, "503 5.5.1 MAIL first");
		return;
	}
	no = judge_rcpt(p, path_of(line));
	p->good_rcpts += !no;
	peer_say(p, no ? no : "250 2.1.5 ok");
}

/* --- content -------------------------------------------------------------- */

static void data(struct peer *p)
{
	if (p->good_rcpts == 0) {
		peer_end_mail(p);
		p->has_sender = false;
		peer_say(p, "554 5.5.1 no valid recipients");
		return;
	}
	p->in_data = true;
	peer_say(p, "354 go on");
}

static void bdat(struct peer *p, const char *line)
{
	p->chunk_left = strtoul(line + 5, NULL, 10);
	p->chunk_is_last = strstr(line, "LAST") != NULL;
	p->in_chunk = true;
	if (p->chunk_left == 0)
		peer_take_chunk(p);
}

void peer_take_chunk(struct peer *p)
{
	p->in_chunk = false;
	if (p->good_rcpts == 0)
		peer_say(p, "554 5.5.1 no valid recipients");
	else if (p->chunk_is_last)
		peer_take_content(p);
	else
		peer_say(p, "250 2.0.0 chunk");
}

static const char *judge_content(const struct peer *p)
{
	if (has(p, FAULT_DOT_452))
		return "452 4.3.1 disk full";
	if (has(p, FAULT_DOT_554))
		return "554 5.6.0 the filter is broken";
	if (W->mails[p->mail].kind == MAIL_SPAM)
		return "554 5.7.1 spam";
	return NULL;
}

static void take_real(struct peer *p)
{
	const char *no = judge_content(p);

	if (no) {
		peer_say(p, no);
		return;
	}
	p->first = ledger_take(p->primary, p->mail, p->rcpts,
			       buf_slice(&p->content), &p->n);
	if (has(p, FAULT_LOST_REPLY) && sim_between(0, 1))
		p->cut_at = 0;
	else
		peer_say(p, "250 2.0.0 taken");
}

/* It heard our last answer, and its queue has that on disk: the next message
 * may be on its way before, but not its end. */
static void settled(struct peer *p)
{
	ledger_sure(p->first, p->n);
	p->n = 0;
}

void peer_take_content(struct peer *p)
{
	settled(p);
	p->has_sender = false;
	if (p->is_probe)
		broken("a probe sent content");
	if (p->mail >= 0) {
		take_real(p);
	} else {
		ledger_report(buf_slice(&p->content));
		peer_say(p, "250 2.0.0 thanks");
	}
	peer_end_mail(p);
	if (p->cut_at != 0)
		return;
	*p->gone = true;
	peer_cut(p, sim_between(0, 1) ? CUT_RESET : CUT_SILENT);
}

/* --- all of them ---------------------------------------------------------- */

static bool is_verb(const char *line, const char *verb)
{
	return strncasecmp(line, verb, strlen(verb)) == 0;
}

void peer_take_command(struct peer *p, const char *line)
{
	if (is_verb(line, "EHLO") || is_verb(line, "HELO")) {
		ehlo(p);
	} else if (is_verb(line, "MAIL FROM:")) {
		mail(p, line);
	} else if (is_verb(line, "RCPT TO:")) {
		rcpt(p, line);
	} else if (is_verb(line, "DATA")) {
		data(p);
	} else if (is_verb(line, "BDAT ")) {
		bdat(p, line);
	} else if (is_verb(line, "RSET")) {
		peer_end_mail(p);
		p->has_sender = false;
		peer_say(p, "250 2.0.0 forgotten");
	} else if (is_verb(line, "NOOP")) {
		peer_say(p, "250 2.0.0 ok");
	} else if (is_verb(line, "STARTTLS")) {
		p->wants_tls = true;
		peer_say(p, "220 2.0.0 go on");
	} else if (is_verb(line, "QUIT")) {
		p->n = 0; /* it has heard us, but may not have kept it yet */
		peer_say_and_close(p, "221 2.0.0 bye");
	} else {
		broken("an unknown command: %s", line);
	}
}
