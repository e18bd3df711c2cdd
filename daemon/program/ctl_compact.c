/* queue compact: the daemon must not run, and no other command either. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl.h"

#include "mxhold/base/text.h"
#include "mxhold/storage/compact.h"
#include "mxhold/storage/store.h"

static enum exit_code refuse(const struct ctl *c, const struct error *err)
{
	if (err->sys == EWOULDBLOCK) {
		ctl_complain("mxholdd is running; stop it first, or restart "
			     "it: a file that is mostly empty is compacted "
			     "when it starts");
		return EXIT_FAILED;
	}
	return ctl_refused(c, err);
}

static void print(struct ctl *c, const struct compact_result *r)
{
	struct ctl_printer *p = ctl_printer_new(c);
	struct ctl_sink sink = ctl_printer_sink(p);
	json_t *j = json_pack("{s:i,s:I,s:I,s:I}", "v", 1, "before_bytes",
			      (json_int_t)r->before, "used_bytes",
			      (json_int_t)r->used, "messages",
			      (json_int_t)r->messages);

	if (c->dry_run)
		json_object_set_new(j, "dry_run", json_true());
	else
		json_object_set_new(j, "after_bytes",
				    json_integer((json_int_t)r->after));
	if (!c->quiet)
		sink.result(sink.data, j);
	json_decref(j);
	ctl_printer_free(p, EXIT_DONE);
}

enum exit_code ctl_compact(struct ctl *c)
{
	enum exit_code exit = ctl_config(c);
	struct compact_result r;
	struct error err = {0};

	if (exit != EXIT_DONE)
		return exit;
	if (store_become_owner(c->config->state_dir, &err) < 0 ||
	    store_compact(c->config->state_dir, c->dry_run, &r, &err) < 0)
		return refuse(c, &err);
	print(c, &r);
	return EXIT_DONE;
}
