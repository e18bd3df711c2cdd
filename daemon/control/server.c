/*
 * The socket, its connections, and the life of a request. A connection
 * carries one request at a time; what comes early waits in the stream.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/control/inner.h"

enum {
	CONNS_MAX = 64,
	SOCKET_MODE = 0660,
	QUEUED_MAX = 256 * 1024, /* octets unread by the client */
	IDLE_MS = 120 * 1000,
	PATIENCE_MS = 900 * 1000,
	JOB_POLL_US = 1000,
};

static size_t on_data(void *data, struct slice bytes);
static void on_drained(void *data);
static void on_end(void *data, enum stream_end how, const char *why);

static const struct stream_events events = {
	.on_data = on_data,
	.on_drained = on_drained,
	.on_end = on_end,
};

/* Requests */

struct request *request_new(struct control_conn *conn)
{
	struct request *r = mem_alloc(sizeof(*r));

	r->control = conn->control;
	r->conn = conn;
	conn->request = r;
	buf_init(&r->out, PROTOCOL_RESPONSE_MAX);
	list_append(&conn->control->requests, &r->in);
	return r;
}

static void request_free(struct request *r)
{
	list_remove(&r->in);
	if (r->conn)
		r->conn->request = NULL;
	query_free(r->query);
	change_free(r->change);
	buf_done(&r->out);
	mem_free(r);
}

bool request_is_wanted(struct request *r)
{
	r->is_busy = false;
	if (r->conn)
		return true;
	request_free(r);
	return false;
}

void request_finish(struct request *r)
{
	struct control_conn *conn = r->conn;

	if (conn) {
		stream_write(conn->stream, buf_slice(&r->out));
		stream_deadline(conn->stream, IDLE_MS);
	}
	request_free(r);
	if (conn && !conn->is_reading)
		stream_resume(conn->stream);
}

void request_end(struct request *r, enum exit_code exit, const char *error)
{
	protocol_append_end(&r->out, exit, error);
	request_finish(r);
}

void request_result(struct request *r, json_t *result)
{
	protocol_append_result(&r->out, result);
	json_decref(result);
	request_end(r, EXIT_DONE, NULL);
}

void request_be_patient(struct request *r)
{
	stream_deadline(r->conn->stream, PATIENCE_MS);
}

/* Queries: pages on the work pool while the client keeps up */

static void query_work(void *data)
{
	struct request *r = data;

	/* A few pages at a time: most of them may match nothing. */
	for (int i = 0; i < 20 && r->out.n < QUEUED_MAX / 4; i++) {
		r->more = query_step(r->query, &r->out);
		if (r->more == QUERY_DONE)
			return;
	}
}

static void query_worked(void *data);

static void query_go_on(struct request *r)
{
	if (stream_queued(r->conn->stream) > QUEUED_MAX)
		return; /* on_drained calls again */
	r->is_busy = true;
	loop_work(r->control->parts.loop, query_work, query_worked, r);
}

static void query_worked(void *data)
{
	struct request *r = data;

	if (!request_is_wanted(r))
		return;
	if (r->more == QUERY_DONE) {
		request_finish(r);
		return;
	}
	stream_write(r->conn->stream, buf_slice(&r->out));
	stream_deadline(r->conn->stream, IDLE_MS);
	buf_clear(&r->out);
	query_go_on(r);
}

static void on_drained(void *data)
{
	struct control_conn *conn = data;
	struct request *r = conn->request;

	if (r && r->query && !r->change && !r->is_busy)
		query_go_on(r);
}

void request_query(struct request *r)
{
	query_go_on(r);
}

/* Connections */

static void conn_close(struct control_conn *conn)
{
	struct request *r = conn->request;

	if (r) {
		r->conn = NULL;
		if (!r->is_busy)
			request_free(r);
	}
	import_forget(conn);
	list_remove(&conn->in);
	conn->control->n_conns--;
	stream_close(conn->stream);
	buf_done(&conn->input);
	mem_free(conn);
}

static void on_end(void *data, enum stream_end how, const char *why)
{
	(void)how;
	(void)why;
	conn_close(data);
}

/* Answers without being asked (again), then hangs up. */
static void dismiss(struct control_conn *conn, enum exit_code exit,
		    const char *why)
{
	conn->is_reading = true;
	request_end(request_new(conn), exit, why);
	stream_finish(conn->stream);
	conn->stream = NULL;
	conn_close(conn);
}

/* One line, or a part of it. 0 = the connection is gone. */
static size_t take_line(struct control_conn *conn, struct slice bytes)
{
	ptrdiff_t lf = slice_index(bytes, '\n');
	size_t n = lf < 0 ? bytes.n : (size_t)lf;

	if (buf_append(&conn->input, bytes.p, n) < 0) {
		dismiss(conn, EXIT_USAGE, "the request is too long");
		return 0;
	}
	if (lf < 0)
		return n;
	command_run(conn, buf_slice(&conn->input));
	buf_clear(&conn->input);
	return n + 1;
}

static size_t on_data(void *data, struct slice bytes)
{
	struct control_conn *conn = data;
	size_t taken = 0;

	conn->is_reading = true;
	while (taken < bytes.n && !conn->request) {
		size_t n = take_line(conn, slice_skip(bytes, taken));

		if (n == 0)
			return bytes.n;
		taken += n;
	}
	conn->is_reading = false;
	return taken;
}

static void on_accept(void *data, int fd, const struct endpoint *peer)
{
	struct control *c = data;
	struct control_conn *conn;

	(void)peer;
	if (c->n_conns >= CONNS_MAX) {
		close(fd);
		return;
	}
	conn = mem_alloc(sizeof(*conn));
	conn->control = c;
	buf_init(&conn->input, PROTOCOL_REQUEST_MAX);
	list_append(&c->conns, &conn->in);
	c->n_conns++;
	conn->stream = stream_new(c->parts.loop, fd, &events, conn, NULL);
	if (!conn->stream) {
		conn_close(conn);
		return;
	}
	stream_deadline(conn->stream, IDLE_MS);
}

/* The server */

static void on_note(void *data, struct mpsc_node *note)
{
	struct job *job = MX_CONTAINER_OF(note, struct job, node);
	struct request *r = job->data;

	if (r->import)
		import_on_note(r);
	else
		change_on_note(data, note);
}

/* The folder below /run is systemd's to make; by hand there is none. */
static void make_folder(const char *path)
{
	char dir[4096];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	mkdir(dir, 0755);
}

/*
 * Who may connect is the kernel's to enforce: root, our own user, and the
 * members of the socket's group (control.group, or our own).
 */
static int open_socket(struct control *c, struct error *err)
{
	const struct config_control *conf = &c->parts.config->control;
	gid_t gid = (gid_t)-1;

	if (*conf->group) {
		struct group *g = getgrnam(conf->group);

		if (!g)
			return error_set(err, "there is no group \"%s\"",
					 conf->group);
		gid = g->gr_gid;
	}
	make_folder(conf->socket);
	c->listener = listener_open_unix(c->parts.loop, conf->socket,
					 SOCKET_MODE, gid, on_accept, c, err);
	return c->listener
		       ? 0
		       : error_prefix(err, "control socket %s", conf->socket);
}

struct control *control_new(const struct control_parts *parts,
			    struct error *err)
{
	struct control *c = mem_alloc(sizeof(*c));

	c->parts = *parts;
	c->parts.config = config_ref(parts->config);
	list_init(&c->conns);
	list_init(&c->requests);
	c->mailbox = mailbox_new(parts->loop, on_note, c);
	if (open_socket(c, err) == 0)
		return c;
	control_free(c);
	return NULL;
}

void control_reload(struct control *c, const struct config *config)
{
	const struct config *old = c->parts.config;

	c->parts.config = config_ref(config);
	config_unref(old);
}

/* What the writer still has comes back within one commit. */
static void wait_for_jobs(struct control *c)
{
	while (atomic_load(&c->jobs_out) > 0)
		usleep(JOB_POLL_US);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	listener_close(c->listener);
	LIST_FOR_EACH_SAFE (it, &c->conns)
		conn_close(MX_CONTAINER_OF(it, struct control_conn, in));
	wait_for_jobs(c);
	mailbox_free(c->mailbox);
	/* The rest waits for the work pool, a probe or a reload. */
	LIST_FOR_EACH_SAFE (it, &c->requests) {
		struct request *r = MX_CONTAINER_OF(it, struct request, in);

		r->control = NULL;
		list_remove(&r->in);
	}
	config_unref(c->parts.config);
	mem_free(c);
}
