/*
 * queue export: each message as ID.eml and ID.json in a folder. A file gets
 * its name when it is whole and on disk, first the content, then what makes
 * it a message; nothing that is there is overwritten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "ctl_session.h"

#include "mxhold/base/id.h"
#include "mxhold/base/text.h"

enum {
	NAME_MAX_HERE = 64,
};

struct exporting {
	struct ctl *c;
	int dir;
	json_t *parcel; /* of the message under way, or NULL */
	const char *id; /* points into it */
	int fd;         /* of its content; -1 = it has failed already */
	uint64_t size;
	uint32_t crc;
	uint64_t messages, bytes, present, gone, failed;
};

static void complain(struct exporting *e, const char *ending, const char *why)
{
	ctl_complain("%s/%s%s: %s", e->c->dir, e->id, ending, why);
}

static void temporary(const struct exporting *e, const char *ending,
		      char out[NAME_MAX_HERE])
{
	snprintf(out, NAME_MAX_HERE, ".%s%s.new", e->id, ending);
}

/* --- one file ---------------------------------------------------------- */

static int create(struct exporting *e, const char *ending)
{
	char name[NAME_MAX_HERE];
	int fd;

	temporary(e, ending, name);
	unlinkat(e->dir, name, 0); /* of one that was interrupted */
	fd = openat(e->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0)
		complain(e, ending, strerror(errno));
	return fd;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static bool is_same(int a, int b)
{
	char x[65536], y[65536];
	ssize_t n, m;

	do {
		n = read(a, x, sizeof(x));
		m = n > 0 ? read(b, y, (size_t)n) : read(b, y, 1);
		if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
			return false;
	} while (n > 0);
	return true;
}

static bool is_equal(const struct exporting *e, const char *a, const char *b)
{
	int x = openat(e->dir, a, O_RDONLY | O_CLOEXEC);
	int y = openat(e->dir, b, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool same = x >= 0 && y >= 0 && is_same(x, y);

	if (x >= 0)
		close(x);
	if (y >= 0)
		close(y);
	return same;
}

/* File systems that cannot rename without overwriting: a look before. */
static int rename_new(int dir, const char *from, const char *to)
{
	if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (faccessat(dir, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dir, from, dir, to);
}

/* On disk under its name: 0; the same was there: 1; or -1, said why. */
static int place(struct exporting *e, const char *ending)
{
	char from[NAME_MAX_HERE], to[NAME_MAX_HERE];
	int rc;

	temporary(e, ending, from);
	snprintf(to, sizeof(to), "%s%s", e->id, ending);
	rc = rename_new(e->dir, from, to);
	if (rc == 0)
		return 0;
	if (errno == EEXIST && is_equal(e, from, to))
		rc = 1;
	else if (errno == EEXIST)
		complain(e, ending,
			 "another file is there already; nothing is "
			 "overwritten");
	else
		complain(e, ending, strerror(errno));
	unlinkat(e->dir, from, 0);
	return rc;
}

static int close_synced(struct exporting *e, int fd, const char *ending, int rc)
{
	if (rc == 0)
		rc = fsync(fd);
	if (rc < 0)
		complain(e, ending, strerror(errno));
	if (close(fd) < 0 && rc == 0) {
		complain(e, ending, strerror(errno));
		rc = -1;
	}
	return rc;
}

/* --- one message ------------------------------------------------------- */

static void give_up(struct exporting *e)
{
	char name[NAME_MAX_HERE];

	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
	temporary(e, ".eml", name);
	unlinkat(e->dir, name, 0);
	temporary(e, ".json", name);
	unlinkat(e->dir, name, 0);
}

static int check(struct exporting *e)
{
	const char *crc =
		json_string_value(json_object_get(e->parcel, "crc32c"));
	json_int_t size =
		json_integer_value(json_object_get(e->parcel, "size"));
	char sum[9];

	snprintf(sum, sizeof(sum), "%08x", e->crc);
	if (e->size == (uint64_t)size && crc && strcmp(sum, crc) == 0)
		return 0;
	complain(e, ".eml", "its content in the queue is damaged");
	return -1;
}

static int write_json(struct exporting *e)
{
	char *text = json_dumps(e->parcel, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	int fd = text ? create(e, ".json") : -1;
	int rc = -1;

	if (fd >= 0) {
		rc = write_all(fd, text, strlen(text));
		if (rc == 0)
			rc = write_all(fd, "\n", 1);
		rc = close_synced(e, fd, ".json", rc);
	}
	free(text);
	return rc;
}

static int write_message(struct exporting *e)
{
	int fd = e->fd, eml, json;

	e->fd = -1;
	if (fd < 0 || close_synced(e, fd, ".eml", 0) < 0 || check(e) < 0 ||
	    write_json(e) < 0)
		return -1;
	eml = place(e, ".eml");
	json = eml < 0 ? -1 : place(e, ".json");
	return json < 0 ? -1 : eml && json;
}

static void finish(struct exporting *e)
{
	int rc;

	if (!e->parcel)
		return;
	rc = write_message(e);
	if (rc < 0)
		give_up(e);
	e->failed += rc < 0;
	e->present += rc > 0;
	e->messages += rc == 0;
	e->bytes += rc == 0 ? e->size : 0;
	json_decref(e->parcel);
	e->parcel = NULL;
}

static void drop(struct exporting *e)
{
	if (!e->parcel)
		return;
	give_up(e);
	json_decref(e->parcel);
	e->parcel = NULL;
}

/* --- as it comes ------------------------------------------------------- */

static void on_row(void *data, const json_t *row)
{
	struct exporting *e = data;
	const char *id = json_string_value(json_object_get(row, "id"));
	uint64_t number;

	if (json_object_get(row, "gone")) { /* the one under way */
		drop(e);
		e->gone++;
		return;
	}
	finish(e);
	if (!id || id_parse(slice_str(id), &number) < 0)
		return;
	e->parcel = json_deep_copy(row);
	e->id = json_string_value(json_object_get(e->parcel, "id"));
	e->size = 0;
	e->crc = 0;
	e->fd = create(e, ".eml");
}

static void on_raw(void *data, const void *p, size_t n)
{
	struct exporting *e = data;

	e->size += n;
	e->crc = crc32c(e->crc, p, n);
	if (!e->parcel || e->fd < 0 || write_all(e->fd, p, n) == 0)
		return;
	complain(e, ".eml", strerror(errno));
	close(e->fd);
	e->fd = -1;
}

/* --- all of them ------------------------------------------------------- */

static int open_dir(struct ctl *c)
{
	int fd;

	if (mkdir(c->dir, 0700) < 0 && errno != EEXIST) {
		ctl_complain("%s: %s", c->dir, strerror(errno));
		return -1;
	}
	fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		ctl_complain("%s: %s", c->dir, strerror(errno));
	return fd;
}

static void print(const struct exporting *e)
{
	struct ctl_printer *p = ctl_printer_new(e->c);
	struct ctl_sink sink = ctl_printer_sink(p);
	json_t *r = json_pack(
		"{s:i,s:I,s:I,s:I,s:I,s:I,s:o}", "v", 1, "messages",
		(json_int_t)e->messages, "bytes", (json_int_t)e->bytes,
		"present", (json_int_t)e->present, "gone", (json_int_t)e->gone,
		"failed", (json_int_t)e->failed, "dir",
		protocol_text(slice_str(e->c->dir)));

	if (!e->c->quiet)
		sink.result(sink.data, r);
	json_decref(r);
	ctl_printer_free(p, EXIT_DONE);
}

static enum exit_code run(struct exporting *e, struct ctl_session *s)
{
	struct ctl_sink sink = {.row = on_row, .raw = on_raw, .data = e};
	enum exit_code exit =
		ctl_session_ask(s, "queue export", e->c->args, &sink);

	if (exit == EXIT_DONE)
		finish(e);
	else
		drop(e);
	if (fsync(e->dir) < 0) {
		ctl_complain("%s: %s", e->c->dir, strerror(errno));
		exit = EXIT_FAILED;
	}
	if (exit == EXIT_NO_MATCH)
		return exit;
	print(e);
	if (exit == EXIT_DONE && e->failed)
		exit = EXIT_FAILED;
	return exit == EXIT_FAILED && e->messages + e->present ? EXIT_PARTLY
							       : exit;
}

enum exit_code ctl_export(struct ctl *c)
{
	struct exporting e = {.c = c, .fd = -1};
	struct ctl_session s;
	enum exit_code exit = ctl_session_open(c, false, &s);

	if (exit != EXIT_DONE)
		return exit;
	e.dir = open_dir(c);
	exit = EXIT_FAILED;
	if (e.dir >= 0) {
		exit = run(&e, &s);
		close(e.dir);
	}
	ctl_session_close(&s);
	return exit;
}
