/*
 * queue import: every ID.json of a folder with its ID.eml, oldest first. What
 * cannot be taken is named, and the rest goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "ctl_session.h"

#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/storage/queue.h"

struct importing {
	struct ctl *c;
	struct ctl_session session;
	int dir;
	char **names; /* without their endings */
	size_t n_names, room;
	const char *name;   /* the one under way ... */
	const char *ending; /* ... and which file of it */
	uint64_t imported, present, failed, bytes;
	/* the last answer */
	bool has_twin, unreachable;
	enum exit_code exit;
};

static int complain(struct importing *i, const char *ending, const char *why)
{
	ctl_complain("%s/%s%s: %s", i->c->dir, i->name, ending, why);
	return -1;
}

/* --- asking ------------------------------------------------------------ */

static void on_result(void *data, const json_t *result)
{
	struct importing *i = data;
	const char *twin = json_string_value(json_object_get(result, "twin"));

	i->has_twin = twin && *twin;
}

static void on_error(void *data, const char *text)
{
	struct importing *i = data;

	if (i->name)
		complain(i, i->ending, text);
	else
		ctl_complain("%s", text);
}

/* Takes args over. 0 or -1, said why. */
static int ask(struct importing *i, json_t *args)
{
	struct ctl_sink sink = {
		.result = on_result, .error = on_error, .data = i};

	i->has_twin = false;
	i->exit = ctl_session_ask(&i->session, "queue import", args, &sink);
	json_decref(args);
	i->unreachable |=
		i->exit == EXIT_UNREACHABLE || i->exit == EXIT_NOT_PERMITTED;
	return i->exit == EXIT_DONE ? 0 : -1;
}

static int ask_step(struct importing *i, const char *step, const char *hex)
{
	i->ending = ".eml";
	return ask(i, json_pack("{s:s,s:s}", "step", step, "raw", hex));
}

/* --- one message ------------------------------------------------------- */

/* Its length, or -1 with errno. */
static ssize_t read_all(int fd, char *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t more = read(fd, p + got, n - got);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		if (more == 0)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

static int open_file(struct importing *i, const char *ending, off_t *size)
{
	char path[NAME_MAX + 8];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s%s", i->name, ending);
	/* Not to wait for what is no file. */
	fd = openat(i->dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		complain(i, ending, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		complain(i, ending, "it is no file");
	else {
		*size = st.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static json_t *parse(struct importing *i, const char *text, size_t n)
{
	json_error_t why;
	json_t *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);

	if (json_is_object(out))
		return out;
	complain(i, ".json", out ? "it is no exported message" : why.text);
	json_decref(out);
	return NULL;
}

static json_t *load(struct importing *i)
{
	json_t *out = NULL;
	off_t size = 0;
	char *text;
	ssize_t n;
	int fd = open_file(i, ".json", &size);

	if (fd < 0)
		return NULL;
	if (size > PROTOCOL_REQUEST_MAX) {
		complain(i, ".json", "it is too long");
		close(fd);
		return NULL;
	}
	text = mem_array((size_t)size + 1, 1);
	n = read_all(fd, text, (size_t)size);
	if (n < 0)
		complain(i, ".json", strerror(errno));
	else
		out = parse(i, text, (size_t)n);
	mem_free(text);
	close(fd);
	return out;
}

static int send_piece(struct importing *i, int fd, off_t *left)
{
	static uint8_t bytes[PART_SIZE];
	static char hex[2 * PART_SIZE + 1];
	size_t want = (size_t)MX_MIN(*left, (off_t)PART_SIZE);
	ssize_t n = read_all(fd, (char *)bytes, want);

	if (n < 0)
		return complain(i, ".eml", strerror(errno));
	if ((size_t)n != want)
		return complain(i, ".eml", "it became shorter");
	*left -= n;
	text_hex(bytes, want, hex);
	return ask_step(i, *left ? "part" : "end", hex);
}

static int send_content(struct importing *i, int fd, off_t size)
{
	off_t left = size;

	do {
		if (send_piece(i, fd, &left) < 0) {
			if (i->exit == EXIT_DONE) /* it was our side */
				ask_step(i, "drop", "");
			return -1;
		}
	} while (left);
	i->imported += !i->has_twin;
	i->bytes += i->has_twin ? 0 : (uint64_t)size;
	return 0;
}

/* The daemon knows the envelope, and whether it is here already. */
static int send_message(struct importing *i, json_t *parcel, int fd, off_t size)
{
	i->ending = ".json";
	if (ask(i, json_pack("{s:s,s:o}", "step", "begin", "message", parcel)) <
	    0)
		return -1;
	if (!i->has_twin && i->c->dry_run) {
		i->imported++;
		i->bytes += (uint64_t)size;
		return ask_step(i, "drop", "");
	}
	if (!i->has_twin && send_content(i, fd, size) < 0)
		return -1;
	i->present += i->has_twin;
	return 0;
}

static int import_one(struct importing *i)
{
	off_t size = 0;
	json_t *parcel = load(i);
	int fd, rc;

	if (!parcel)
		return -1;
	fd = open_file(i, ".eml", &size);
	if (fd < 0) {
		json_decref(parcel);
		return -1;
	}
	rc = send_message(i, parcel, fd, size);
	close(fd);
	return rc;
}

/* --- the folder -------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n > m && strcmp(name + n - m, ending) == 0;
}

static int keep_name(struct importing *i, const char *name, size_t n)
{
	char **more;

	if (i->n_names == i->room) {
		i->room = i->room ? 2 * i->room : 256;
		more = mem_try_realloc(i->names, i->room * sizeof(*more));
		if (!more)
			return -1;
		i->names = more;
	}
	i->names[i->n_names++] = mem_strndup(name, n);
	return 0;
}

/* Content alone is half a message, such as an export was cut off after. */
static void check_alone(struct importing *i, const char *name)
{
	char json[NAME_MAX + 8];
	size_t n = strlen(name) - strlen(".eml");

	snprintf(json, sizeof(json), "%.*s.json", (int)n, name);
	if (faccessat(i->dir, json, F_OK, 0) == 0)
		return;
	ctl_complain("%s/%s: there is no %s beside it", i->c->dir, name, json);
	i->failed++;
}

static int list(struct importing *i)
{
	DIR *d = fdopendir(dup(i->dir));
	struct dirent *entry;
	int rc = d ? 0 : -1;

	while (rc == 0 && (errno = 0, entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;

		if (*name == '.')
			continue;
		if (ends_in(name, ".json"))
			rc = keep_name(i, name, strlen(name) - strlen(".json"));
		else if (ends_in(name, ".eml"))
			check_alone(i, name);
	}
	if (rc < 0 || errno)
		ctl_complain("%s: %s", i->c->dir,
			     strerror(errno ? errno : ENOMEM));
	if (d)
		closedir(d);
	if (i->n_names)
		qsort(i->names, i->n_names, sizeof(*i->names), by_name);
	return rc;
}

static void print(const struct importing *i)
{
	struct ctl_printer *p = ctl_printer_new(i->c);
	struct ctl_sink sink = ctl_printer_sink(p);
	json_t *r = json_pack("{s:i,s:I,s:I,s:I,s:I}", "v", 1, "imported",
			      (json_int_t)i->imported, "bytes",
			      (json_int_t)i->bytes, "present",
			      (json_int_t)i->present, "failed",
			      (json_int_t)i->failed);

	if (i->c->dry_run)
		json_object_set_new(r, "dry_run", json_true());
	if (!i->c->quiet)
		sink.result(sink.data, r);
	json_decref(r);
	ctl_printer_free(p, EXIT_DONE);
}

static enum exit_code run(struct importing *i)
{
	uint64_t good;

	if (ask_step(i, "drop", "") < 0) /* is anybody there? */
		return i->exit;
	if (list(i) < 0)
		return EXIT_FAILED;
	for (size_t k = 0; k < i->n_names && !i->unreachable; k++) {
		i->name = i->names[k];
		i->exit = EXIT_DONE;
		i->failed += import_one(i) < 0;
	}
	good = i->imported + i->present;
	if (i->unreachable && !good)
		return i->exit;
	if (i->failed + good == 0) {
		ctl_complain("%s: no exported message is there", i->c->dir);
		return EXIT_NO_MATCH;
	}
	print(i);
	if (!i->failed)
		return EXIT_DONE;
	return good ? EXIT_PARTLY : EXIT_FAILED;
}

enum exit_code ctl_import(struct ctl *c)
{
	struct importing i = {.c = c};
	enum exit_code exit;

	i.dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (i.dir < 0) {
		ctl_complain("%s: %s", c->dir, strerror(errno));
		return EXIT_FAILED;
	}
	exit = ctl_session_open(c, true, &i.session);
	if (exit == EXIT_DONE) {
		exit = run(&i);
		ctl_session_close(&i.session);
	}
	for (size_t k = 0; k < i.n_names; k++)
		mem_free(i.names[k]);
	mem_free(i.names);
	close(i.dir);
	return exit;
}
