/*
 * Somebody at the control socket, who says what mxholdctl would: holds mail
 * back and lets it go again, and now and then a word for the moment. What he
 * takes back he says until he is heard, also to the next life; what a word
 * has stopped is a rule from the answer on.
 */
#include <stdio.h>
#include <string.h>

#include "../net/wire.h"
#include "world.h"

#include "mxhold/base/buf.h"
#include "mxhold/control/protocol.h"

enum {
	AGAIN_US = 700000, /* when nobody answers */
	NAME_MAX = 32,
};

/* A word: the fault's beginning, or its end. */
struct word {
	struct sim_event event;
	struct wire_end *wire; /* NULL: not calling */
	struct fault *fault;
	bool begins;
	int64_t asked_us;
	struct buf in;
};

static struct word words[2 * FAULTS_MAX];

static size_t on_bytes(void *owner, struct slice bytes);
static void on_room(void *owner);
static void on_over(void *owner);

static const struct wire_events wire_events = {
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_eof = on_over,
	.on_reset = on_over,
};

/* --- what is said --------------------------------------------------------- */

/* With the domain's MX the primary is named for that. */
static void name_of(int primary, char out[NAME_MAX])
{
	int d = 0;

	while (W->domain_primary[d] != primary)
		d++;
	if (W->primaries[primary].by_mx)
		snprintf(out, NAME_MAX, "mx:d%d.test", d);
	else
		snprintf(out, NAME_MAX, "%s", W->primaries[primary].name);
}

static const char *const moments[] = {
	"drain now",   "drain resume", "primary probe", "breaker show",
	"queue retry", "queue list",   "status",
};

static const char *const removals[] = {
	"queue delete",
	"queue expire",
	"queue bounce",
};

static int domain_of(const struct fault *f)
{
	return (int)(f->value / 8 % W->n_domains);
}

static const char *removal_of(const struct fault *f)
{
	return removals[f->value % (int64_t)MX_ARRAY_SIZE(removals)];
}

static const char *command_of(const struct word *w)
{
	const struct fault *f = w->fault;
	bool stops = w->begins;

	if (W->control == CONTROL_WORDS)
		stops = false;
	switch (f->kind) {
	case FAULT_PAUSED:
		return stops ? "drain pause" : "drain resume";
	case FAULT_HELD:
		return stops ? "primary hold" : "primary resume";
	case FAULT_QUEUE_HELD:
		return stops ? "queue hold" : "queue release";
	case FAULT_REMOVED:
		return stops ? removal_of(f) : "queue retry";
	default:
		return moments[f->value % (int64_t)MX_ARRAY_SIZE(moments)];
	}
}

static bool stops_mail(const struct fault *f)
{
	return f->kind == FAULT_PAUSED || f->kind == FAULT_HELD;
}

static bool is_said_once(const struct fault *f)
{
	return f->kind == FAULT_WORD || f->kind == FAULT_REMOVED;
}

/* "drain now" is stronger than what holds back. */
static void let_go(int primary)
{
	W->primaries[primary].paused_us = W->primaries[primary].held_us = 0;
}

static void say_it(struct word *w)
{
	const char *command = command_of(w);
	char name[NAME_MAX], args[64], line[256];

	if (strncmp(command, "drain ", 6) == 0 && !stops_mail(w->fault))
		let_go(w->fault->primary);
	name_of(w->fault->primary, name);
	if (w->fault->kind == FAULT_REMOVED)
		snprintf(args, sizeof(args),
			 "\"domain\":\"d%d.test\",\"apply\":true",
			 domain_of(w->fault));
	else if (strncmp(command, "queue ", 6) == 0)
		snprintf(args, sizeof(args), "\"all\":true,\"apply\":true");
	else
		snprintf(args, sizeof(args), "\"name\":\"%s\"", name);
	snprintf(line, sizeof(line),
		 "{\"v\":1,\"command\":\"%s\",\"args\":{%s}}\n", command, args);
	say("the operator: %s %s", command, args);
	w->asked_us = sim_now_us();
	if (w->fault->kind == FAULT_REMOVED)
		rules_may_go(domain_of(w->fault));
	wire_send(w->wire, slice_make(line, strlen(line)));
}

/* --- the call ------------------------------------------------------------- */

static void hang_up(struct word *w)
{
	if (w->wire)
		wire_close(w->wire);
	w->wire = NULL;
	buf_done(&w->in);
}

static void call(struct word *w)
{
	struct wire_options o = {.latency_us = sim_between(10, 200)};

	if (!wire_call(&o, &w->wire)) {
		w->wire = NULL;
		sim_schedule(&w->event, AGAIN_US);
		return;
	}
	buf_init(&w->in, 1 << 20);
	wire_own(w->wire, NULL, &wire_events, w);
	say_it(w);
	if (w->begins && (w->fault->value >> 16 & 7) == 1)
		hang_up(w); /* in a hurry: no answer is waited for */
}

static void run_word(struct sim_event *e)
{
	call(MX_CONTAINER_OF(e, struct word, event));
}

/* What was not heard: a beginning has no meaning behind its end. */
static void on_over(void *owner)
{
	struct word *w = owner;

	hang_up(w);
	if (is_said_once(w->fault) ||
	    (w->begins && sim_now_us() >= w->fault->until_us))
		return;
	sim_schedule(&w->event, AGAIN_US);
}

enum answer {
	ANSWER_DONE,
	ANSWER_NO,    /* as when no message matches */
	ANSWER_PARTLY /* or not at all, for a fault of our machine */
};

static enum answer answer_of(const char *end)
{
	int code = -1;

	sscanf(end, "{\"end\":{\"exit\":%d", &code);
	if (code == EXIT_DONE)
		return ANSWER_DONE;
	return code == EXIT_PARTLY || code == EXIT_FAILED ? ANSWER_PARTLY
							  : ANSWER_NO;
}

static void heard(struct word *w, enum answer answer)
{
	static const char *const texts[] = {"done", "no", "partly"};

	say("the operator hears: %s", texts[answer]);
	if (w->begins && stops_mail(w->fault) && answer == ANSWER_DONE &&
	    sim_now_us() < w->fault->until_us)
		rules_stopped(w->fault, true);
	/* From quarantine a later word may bring it back. */
	if (w->fault->kind == FAULT_REMOVED && answer == ANSWER_DONE &&
	    strcmp(removal_of(w->fault), "queue delete") == 0)
		rules_removed(domain_of(w->fault), w->asked_us);
	if (w->begins)
		return;
	w->fault->undone = answer != ANSWER_PARTLY;
	if (!w->fault->undone)
		sim_schedule(&w->event, AGAIN_US);
}

static size_t on_bytes(void *owner, struct slice bytes)
{
	struct word *w = owner;
	const char *end;

	if (buf_append_slice(&w->in, bytes) || buf_append(&w->in, "", 1))
		sim_broken("an operator has no memory");
	end = strstr(buf_slice(&w->in).p, "{\"end\":");
	buf_truncate(&w->in, w->in.n - 1);
	if (end && strchr(end, '\n')) {
		enum answer answer = answer_of(end);

		hang_up(w);
		heard(w, answer);
	}
	return bytes.n;
}

static void on_room(void *owner MX_UNUSED)
{
}

/* --- when ----------------------------------------------------------------- */

static void begin(struct fault *f, bool begins)
{
	struct word *w = &words[(f - W->faults) + (begins ? 0 : FAULTS_MAX)];

	if (w->wire || sim_is_scheduled(&w->event))
		return;
	w->fault = f;
	w->begins = begins;
	if (!begins && stops_mail(f))
		rules_stopped(f, false);
	sim_schedule(&w->event, 0);
}

void operator_meet(struct fault *f, bool begins)
{
	if (is_said_once(f) && !begins)
		return;
	f->done |= begins;
	if (f->done)
		begin(f, begins);
}

void operator_begin(void)
{
	memset(words, 0, sizeof(words));
	for (size_t i = 0; i < MX_ARRAY_SIZE(words); i++)
		sim_event_init(&words[i].event, SIM_WORLD, NULL, run_word);
	for (int i = 0; i < W->n_faults; i++) {
		struct fault *f = &W->faults[i];

		if (fault_is_operator(f->kind) && !is_said_once(f) && f->done &&
		    !f->undone && f->until_us <= W->now_us)
			begin(f, false);
	}
}

void operator_forget(void)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(words); i++) {
		hang_up(&words[i]);
		sim_cancel(&words[i].event);
	}
}
