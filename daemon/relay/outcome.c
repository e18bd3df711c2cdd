#include "mxhold/relay/outcome.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/attr.h"

/* Judged once for the whole transaction. */
struct facts {
	const struct session_result *result;
	const struct outcome_rules *rules;
	bool lost_after_dot, delivered;
	bool sender_refused; /* a 5xx at MAIL that is about this message */
};

/* "5.1.1": class, subject and detail of at most three digits each. */
static bool is_status(const char *s)
{
	for (int part = 0; part < 3; part++) {
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 3)
			return false;
		s += n;
		if (part < 2 && *s++ != '.')
			return false;
	}
	return *s == '\0';
}

void outcome_status(const struct smtp_reply *reply, char out[12])
{
	const char *e = reply->enhanced;

	if (is_status(e) && e[1] == '.' && e[0] - '0' == reply->code / 100)
		memmove(out, e, strlen(e) + 1); /* may be its own place */
	else
		snprintf(out, 12, "%c.0.0", reply->code >= 500 ? '5' : '4');
}

static void diagnose_stage(const struct session_failure *f,
			   struct smtp_reply *out)
{
	const char *status = "4.4.2", *text = f->text;

	switch (f->stage) {
	case STAGE_DNS:
		status = "4.4.3";
		break;
	case STAGE_CONNECT:
		status = "4.4.1";
		break;
	case STAGE_TLS:
		status = "4.7.5";
		break;
	default:
		break;
	}
	smtp_reply_set(out, 451, status, "%s",
		       *text ? text : "connection lost");
}

void outcome_diagnose(const struct session_failure *f, struct smtp_reply *out)
{
	if (f->reply.code) {
		*out = f->reply;
		outcome_status(&f->reply, out->enhanced);
		return;
	}
	switch (f->fault) {
	case FAULT_NO_ROUTE:
		smtp_reply_set(out, 550, f->status[0] ? f->status : "5.4.4",
			       "%s", f->text);
		break;
	case FAULT_LOOP:
		smtp_reply_set(out, 554, "5.4.6", "%s", f->text);
		break;
	default:
		diagnose_stage(f, out);
	}
}

enum outcome_health outcome_of_failure(const struct session_failure *f)
{
	switch (f->fault) {
	case FAULT_NONE:
		return OUTCOME_SAYS_NOTHING;
	case FAULT_PERMANENT:
		return OUTCOME_SAYS_REFUSED;
	case FAULT_TEMPORARY:
	case FAULT_NO_ROUTE:
	case FAULT_LOOP:
		break;
	}
	return OUTCOME_SAYS_BAD;
}

/* --- one recipient ----------------------------------------------------- */

static void say(struct outcome_rcpt *r, enum verdict v,
		const struct smtp_reply *reply)
{
	r->verdict = v;
	r->by_peer = true;
	r->reply = *reply;
	if (v != VERDICT_DELIVERED)
		outcome_status(reply, r->reply.enhanced);
}

static void put_off(const struct facts *f, struct outcome_rcpt *r,
		    const struct smtp_reply *reply)
{
	bool broken = f->rules->breaker_open && !f->rules->is_report;
	bool over = f->rules->is_over && !f->lost_after_dot && !broken;

	say(r, over ? VERDICT_FAILED : VERDICT_LATER, reply);
}

/* A 5xx is not believed while a broken primary may be saying it. One that
 * has come back without its users refuses them all: until it takes somebody,
 * nobody is believed to be unknown. What we ourselves miss there (proof, an
 * extension that the message needs) may be mended as well. */
static void refused(const struct facts *f, struct outcome_rcpt *r,
		    const struct smtp_reply *reply)
{
	const struct outcome_rules *rules = f->rules;
	bool unproven = rules->unproven && !f->delivered;
	bool doubted = rules->breaker_open ||
		       ((r->known_good || unproven || f->result->is_ours) &&
			MX_MAX(r->refused_ms, 0) < rules->first_5xx);

	if (doubted && !rules->is_report)
		put_off(f, r, reply);
	else
		say(r, VERDICT_FAILED, reply);
	r->bad_5xx = true;
}

static void no_reply(const struct facts *f, struct outcome_rcpt *r,
		     bool dot_counts)
{
	struct smtp_reply own;

	r->verdict = VERDICT_LEFT;
	if (dot_counts && f->lost_after_dot) {
		smtp_reply_set(&own, 451, "4.4.2",
			       "no reply after the message was sent: %s",
			       f->result->failure.text);
		put_off(f, r, &own);
	} else if (f->rules->insist || !f->result->broken) {
		outcome_diagnose(&f->result->failure, &own);
		put_off(f, r, &own);
	}
	r->by_peer = false;
}

/* 421: the service goes away, whatever was asked (RFC 5321 3.8). */
static void by_421(const struct facts *f, struct outcome_rcpt *r,
		   const struct smtp_reply *reply)
{
	r->verdict = VERDICT_LEFT;
	if (f->rules->insist)
		put_off(f, r, reply);
}

static void by_reply(const struct facts *f, struct outcome_rcpt *r,
		     const struct smtp_reply *reply)
{
	struct smtp_reply odd;

	if (reply->code == 421) {
		by_421(f, r, reply);
	} else if (smtp_reply_class(reply) == 5) {
		refused(f, r, reply);
	} else if (smtp_reply_class(reply) == 4) {
		put_off(f, r, reply);
	} else { /* like a 4yz (RFC 5321 4.3.2) */
		smtp_reply_set(&odd, 451, "4.5.0", "unexpected reply %d %s",
			       reply->code, reply->text);
		put_off(f, r, &odd);
		r->by_peer = false;
	}
}

/*
 * The server lacks what the message needs. One that has lost a keyword since
 * the message came (RFC 6152, 6531) has come back half configured: the
 * message waits until it is over. A size is believed like a refusal.
 */
static void by_ourselves(const struct facts *f, struct outcome_rcpt *r,
			 const struct smtp_reply *mail)
{
	bool lacks =
		strncmp(mail->enhanced, "5.6.", 4) == 0 && !f->rules->is_report;
	struct smtp_reply later = *mail;

	if (lacks && (!f->rules->is_over || f->rules->breaker_open)) {
		later.code = 451;
		later.enhanced[0] = '4';
		say(r, VERDICT_LATER, &later);
	} else if (lacks) {
		say(r, VERDICT_FAILED, mail);
	} else {
		by_reply(f, r, mail);
	}
	r->by_peer = r->bad_5xx = false;
}

static void by_final(const struct facts *f, struct outcome_rcpt *r)
{
	const struct smtp_reply *final = &f->result->final;

	if (!final->code)
		no_reply(f, r, true);
	else if (smtp_reply_class(final) == 2 && f->result->sent_dot)
		say(r, VERDICT_DELIVERED, final);
	else if (final->code == 421 && f->result->sent_dot)
		put_off(f, r, final);
	else
		by_reply(f, r, final);
}

static bool is_too_many(const struct smtp_reply *reply)
{
	return reply->code == 452 || reply->code == 552;
}

static void judge_rcpt(const struct facts *f, size_t i, bool some_accepted,
		       struct outcome_rcpt *r)
{
	const struct smtp_reply *mail = &f->result->mail;
	const struct smtp_reply *reply = &f->result->rcpts[i];

	r->bad_5xx = r->by_peer = false;
	r->about_message = smtp_reply_class(reply) == 2 || f->sender_refused;
	memset(&r->reply, 0, sizeof(r->reply));
	if (f->result->is_ours) {
		by_ourselves(f, r, mail);
	} else if (mail->code && smtp_reply_class(mail) != 2) {
		by_reply(f, r, mail);
	} else if (!mail->code || !reply->code) {
		no_reply(f, r, false);
	} else if (smtp_reply_class(reply) == 2) {
		by_final(f, r);
	} else if (some_accepted && is_too_many(reply)) {
		/* RFC 5321 4.5.3.1.10; over when the session is */
		r->verdict = f->result->broken ? VERDICT_LEFT : VERDICT_AGAIN;
	} else {
		by_reply(f, r, reply);
	}
}

/* --- the transaction --------------------------------------------------- */

static void count(struct outcome *out, const struct outcome_rcpt *r)
{
	switch (r->verdict) {
	case VERDICT_LEFT:
		out->left++;
		break;
	case VERDICT_DELIVERED:
		out->delivered++;
		break;
	case VERDICT_LATER:
		out->later++;
		break;
	case VERDICT_FAILED:
		out->failed++;
		break;
	case VERDICT_AGAIN:
		out->again++;
		break;
	}
	if (r->verdict == VERDICT_FAILED && r->reply.code < 500)
		out->expired = true;
}

/*
 * A 5xx at MAIL speaks against the host unless its status says that it is
 * about this sender or this content (RFC 3463 3.2, 3.4, 3.7; RFC 8689 5).
 */
static bool speaks_against_host(const struct smtp_reply *mail)
{
	static const char *const about_message[] = {
		"5.1.7", "5.1.8", "5.3.4", "5.2.3", "5.7.10", "5.7.30",
	};

	if (smtp_reply_class(mail) != 5 || mail->code == 552)
		return false;
	if (strncmp(mail->enhanced, "5.6.", 4) == 0)
		return false;
	for (size_t i = 0; i < MX_ARRAY_SIZE(about_message); i++) {
		if (strcmp(mail->enhanced, about_message[i]) == 0)
			return false;
	}
	return true;
}

static bool any_accepted(const struct session_result *result)
{
	for (size_t i = 0; i < result->n_rcpts; i++) {
		if (smtp_reply_class(&result->rcpts[i]) == 2)
			return true;
	}
	return false;
}

static bool any_421(const struct session_result *result)
{
	if (result->mail.code == 421 || result->final.code == 421)
		return true;
	for (size_t i = 0; i < result->n_rcpts; i++) {
		if (result->rcpts[i].code == 421)
			return true;
	}
	return false;
}

static bool some_answer(const struct session_result *result)
{
	if (result->final.code && result->final.code != 421)
		return true;
	for (size_t i = 0; i < result->n_rcpts; i++) {
		if (result->rcpts[i].code && result->rcpts[i].code != 421)
			return true;
	}
	return false;
}

/* Once it was told (XCLIENT) whose mail this is, it will not have that. */
static bool is_about_client(const struct session_result *result)
{
	return result->client_refused && result->mail.code != 421;
}

/*
 * A server that ends a session which has already carried mail is keeping its
 * own limit. An answer to RCPT says more than a line that broke afterwards,
 * except when the message itself was swallowed without a word.
 */
static enum outcome_health heard(const struct facts *f, bool gone)
{
	const struct session_result *result = f->result;

	if (!gone)
		return some_answer(result) ? OUTCOME_SAYS_GOOD
					   : OUTCOME_SAYS_NOTHING;
	if (is_about_client(result))
		return OUTCOME_SAYS_NOTHING;
	if (f->rules->sent_before && !f->lost_after_dot)
		return OUTCOME_SAYS_NOTHING;
	return OUTCOME_SAYS_BAD;
}

/* What has no timer of its own keeps the whole message where it is: there
 * is one row a destination, and the earliest wish wins. */
static void leave_the_rest(struct outcome_rcpt *rcpts, size_t n,
			   struct outcome *out)
{
	for (size_t i = 0; i < n; i++) {
		if (rcpts[i].verdict != VERDICT_LATER)
			continue;
		rcpts[i].verdict = VERDICT_LEFT;
		out->later--;
		out->left++;
	}
}

void outcome_judge(const struct session_result *result,
		   const struct outcome_rules *rules,
		   struct outcome_rcpt *rcpts, struct outcome *out)
{
	struct facts f = {.result = result, .rules = rules};
	bool some_accepted = false, gone;

	f.lost_after_dot =
		result->sent_dot && !result->final.code && any_accepted(result);
	f.delivered = result->sent_dot &&
		      smtp_reply_class(&result->final) == 2 &&
		      any_accepted(result);
	f.sender_refused = smtp_reply_class(&result->mail) == 5 &&
			   !speaks_against_host(&result->mail);
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < result->n_rcpts; i++) {
		judge_rcpt(&f, i, some_accepted, &rcpts[i]);
		count(out, &rcpts[i]);
		some_accepted |= smtp_reply_class(&result->rcpts[i]) == 2;
	}
	out->maybe_duplicate = f.lost_after_dot;
	if (out->left && !out->maybe_duplicate)
		leave_the_rest(rcpts, result->n_rcpts, out);
	gone = result->broken || any_421(result);
	if (!is_about_client(result)) {
		out->mail_refused = speaks_against_host(&result->mail);
		out->pressed = gone || smtp_reply_class(&result->mail) == 4;
	}
	out->reuse = !gone;
	out->health = heard(&f, gone);
}
