/* No daemon answers: the store is read as it lies, and never written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "ctl_session.h"

#include "mxhold/base/mem.h"
#include "mxhold/control/query.h"
#include "mxhold/net/digest.h"
#include "mxhold/receive/facts.h"
#include "mxhold/receive/recipients_load.h"
#include "mxhold/storage/directory.h"
#include "mxhold/storage/verify.h"

enum {
	OUT_CAP = 64 << 20
};

void ctl_offline_close(struct ctl_offline_parts *o)
{
	if (o->directory)
		directory_close(o->directory);
	if (o->store)
		store_close(o->store);
}

enum exit_code ctl_refused(const struct ctl *c, const struct error *err)
{
	const char *socket = c->config->control.socket;

	if (err->sys == EACCES || err->sys == EPERM) {
		ctl_complain("not permitted: %s; become root, or a member of "
			     "control.group while the daemon runs",
			     err->text);
		return EXIT_NOT_PERMITTED;
	}
	if (err->sys == ENOENT) {
		ctl_complain("no daemon answers at %s and there is no queue "
			     "in %s",
			     socket, c->config->state_dir);
		return EXIT_UNREACHABLE;
	}
	ctl_complain("no daemon answers at %s, and the queue cannot be "
		     "opened: %s",
		     socket, err->text);
	return EXIT_FAILED;
}

/* EXIT_DONE, or says why not. */
enum exit_code ctl_offline_open(const struct ctl *c,
				struct ctl_offline_parts *o)
{
	struct store_options options = {
		.state_dir = c->config->state_dir,
		.max_bytes = c->config->queue.max_bytes,
		.reserve = c->config->queue.reserve,
		.read_only = true,
	};
	struct error err = {0};

	*o = (struct ctl_offline_parts){0};
	if (store_become_owner(options.state_dir, &err) < 0 ||
	    store_open(&o->store, &options, &err) < 0)
		return ctl_refused(c, &err);
	if (directory_open(&o->directory, options.state_dir, true, &err) == 0)
		return EXIT_DONE;
	o->directory = NULL;
	/* No mail needs it; what is known of primaries is missing. */
	if (err.sys != ENOENT)
		ctl_complain("going on without the directory: %s", err.text);
	return EXIT_DONE;
}

/* Queries */

static enum exit_code give_lines(struct buf *out, const struct ctl_sink *sink,
				 bool *ended)
{
	enum exit_code exit = EXIT_FAILED;

	while (out->n && !*ended) {
		struct slice s = buf_slice(out);
		ptrdiff_t lf = slice_index(s, '\n');
		size_t n = lf < 0 ? s.n : (size_t)lf;

		if (ctl_take_line(slice_head(s, n), sink, &exit, ended) < 0)
			break;
		buf_consume(out, MX_MIN(n + 1, out->n));
	}
	return exit;
}

static enum exit_code run_query(struct query *q, const struct ctl_sink *sink)
{
	enum exit_code exit = EXIT_FAILED;
	enum query_more more = QUERY_MORE;
	bool ended = false;
	struct buf out;

	buf_init(&out, OUT_CAP);
	while (more == QUERY_MORE && !ended) {
		more = query_step(q, &out);
		exit = give_lines(&out, sink, &ended);
		buf_clear(&out);
	}
	buf_done(&out);
	return exit;
}

static struct directory_load *gather(void *data, struct directory *d,
				     const struct config_domain *domain,
				     struct error *err)
{
	(void)data;
	return recipients_gather(d, domain, NULL, err);
}

static enum exit_code query_offline(struct ctl *c, struct ctl_offline_parts *o,
				    const char *command, json_t *args,
				    const struct ctl_sink *sink)
{
	struct query_live live;
	struct query *q;
	struct error err = {0};
	enum exit_code exit;

	query_live_stored(&live, c->config, o->directory);
	live.gather = gather;
	q = query_new(o->store, c->config, &live, command, args, &err, &exit);
	query_live_done(&live);
	if (!q) {
		ctl_complain("%s", err.text);
		return exit;
	}
	exit = run_query(q, sink);
	query_free(q);
	return exit;
}

/* recipients test: the same decision as the receiving side's, whose primary
 * nobody asks now */

static void look_up(struct ctl *c, struct ctl_offline_parts *o,
		    const struct address *rcpt, struct policy_rcpt *p)
{
	struct facts_primary primary = {.can_ask = false};
	const struct facts_of of = {
		.config = c->config,
		.directory = o->directory,
	};
	struct peer_record rec = {0};
	struct directory_reader *r;

	if (!o->directory) {
		policy_rcpt_decide(p, LISTED_NO_LIST);
		return;
	}
	r = directory_reader_new(o->directory, digest_sha256);
	if (!r) {
		policy_rcpt_decide(p, LISTED_ERROR);
		return;
	}
	directory_peer_get(o->directory, p->domain->primary->name, &rec);
	primary.up_ms = rec.up_ms;
	facts_look_up(p, rcpt, r, &of, &primary);
	directory_reader_free(r);
}

static enum exit_code test_rcpt(struct ctl *c, struct ctl_offline_parts *o,
				json_t *args, const struct ctl_sink *sink)
{
	static const char *const verdicts[] = {"accept", "reject", "defer"};
	const char *address =
		json_string_value(json_object_get(args, "address"));
	const char *domain = json_string_value(json_object_get(args, "domain"));
	char full[1024], reply[REPLY_TEXT_MAX + 32];
	struct address parsed;
	struct policy_rcpt p;
	json_t *result;

	snprintf(full, sizeof(full), "%s%s%s", address,
		 strchr(address, '@') ? "" : "@",
		 strchr(address, '@') ? "" : domain);
	if (address_parse(slice_str(full), true, &parsed) != ADDRESS_OK) {
		result = present_rcpt_test(address, "reject", "not an address",
					   "501 5.1.3 bad recipient address");
	} else {
		if (!policy_rcpt_prepare(&p, c->config, &parsed))
			look_up(c, o, &parsed, &p);
		smtp_reply_format(&p.reply, reply, sizeof(reply));
		result = present_rcpt_test(address, verdicts[p.verdict], p.why,
					   reply);
	}
	sink->result(sink->data, result);
	json_decref(result);
	return EXIT_DONE;
}

enum exit_code ctl_offline(struct ctl *c, const char *command, json_t *args,
			   const struct ctl_sink *sink)
{
	struct ctl_offline_parts o;
	enum exit_code exit = ctl_offline_open(c, &o);

	if (exit != EXIT_DONE)
		return exit;
	if (strcmp(command, "recipients test") == 0)
		exit = test_rcpt(c, &o, args, sink);
	else
		exit = query_offline(c, &o, command, args, sink);
	ctl_offline_close(&o);
	return exit;
}

/* queue verify: reads everything, so never through the daemon */

static void on_problem(void *data, const char *what)
{
	json_array_append_new(data, protocol_text(slice_str(what)));
}

static enum exit_code
print_verified(struct ctl *c, const struct verify_result *v, json_t *found)
{
	struct ctl_printer *p = ctl_printer_new(c);
	struct ctl_sink sink = ctl_printer_sink(p);
	json_t *r =
		json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:O}", "v", 1,
			  "messages", (json_int_t)v->messages, "recipients",
			  (json_int_t)v->recipients, "chunks",
			  (json_int_t)v->chunks, "bytes", (json_int_t)v->bytes,
			  "due_rows", (json_int_t)v->due_rows, "problems",
			  (json_int_t)v->problems, "found", found);

	sink.result(sink.data, r);
	json_decref(r);
	ctl_printer_free(p, EXIT_DONE);
	return v->problems ? EXIT_FAILED : EXIT_DONE;
}

enum exit_code ctl_verify(struct ctl *c)
{
	struct verify_result result = {0};
	struct ctl_offline_parts o;
	json_t *found;
	enum exit_code exit = ctl_config(c);

	if (exit == EXIT_DONE)
		exit = ctl_offline_open(c, &o);
	if (exit != EXIT_DONE)
		return exit;
	found = json_array();
	if (verify_queue(o.store, &result, on_problem, found) < 0) {
		ctl_complain("the queue cannot be read");
		exit = EXIT_FAILED;
	} else {
		exit = print_verified(c, &result, found);
	}
	json_decref(found);
	ctl_offline_close(&o);
	return exit;
}
