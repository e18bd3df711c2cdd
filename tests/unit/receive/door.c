#include "door.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/stats.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/storage/verify.h"

/* ---- the main loop ---- */

struct call {
	struct mpsc_node node;
	void (*fn)(struct door_rig *d);
	sem_t done;
};

static void on_call(void *data, struct mpsc_node *node)
{
	struct call *call = MX_CONTAINER_OF(node, struct call, node);

	call->fn(data);
	sem_post(&call->done);
}

void door_call(struct door_rig *d, void (*fn)(struct door_rig *d))
{
	struct call call = {.fn = fn};

	sem_init(&call.done, 0, 0);
	mailbox_post(d->calls, &call.node);
	while (sem_wait(&call.done))
		;
	sem_destroy(&call.done);
}

static void on_kept(void *data)
{
	struct door_rig *d = data;

	d->kicks++;
}

static enum etrn_outcome on_etrn(void *data, const char *domain,
				 uint64_t *waiting)
{
	struct door_rig *d = data;

	d->etrns++;
	*waiting = d->waiting;
	return strcmp(domain, "example.com") == 0 ? d->etrn : ETRN_NOTHING;
}

static void make_tls(struct door_rig *d)
{
	char cert[128], key[128];
	const struct tls_pair pair = {cert, key};
	struct error err;

	snprintf(cert, sizeof(cert), "%s", rig_path(&d->rig, "cert"));
	snprintf(key, sizeof(key), "%s", rig_path(&d->rig, "key"));
	ck_assert_int_eq(tls_self_signed(cert, key, "mx2.example.net", &err),
			 0);
	d->tls = tls_context_server(&pair, 1, "1.2", &err);
	ck_assert_msg(d->tls, "%s", err.text);
}

static void make_receive(struct door_rig *d)
{
	struct error err;
	const struct receive_parts parts = {
		.loop = d->loop,
		.store = d->rig.store,
		.writer = d->rig.writer,
		.directory = d->rig.directory,
		.config = d->rig.config,
		.tls = d->tls,
		.resolver = d->resolver,
		.on_kept = on_kept,
		.on_etrn = on_etrn,
		.data = d,
	};

	d->receive = receive_new(&parts, &err);
	ck_assert_msg(d->receive, "%s", err.text);
	ck_assert_uint_eq(receive_addresses(d->receive, &d->at, 1), 1);
}

static void configure(struct door_rig *d, const char *before,
		      const char *within)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "listen \"smtp\" { address = \"127.0.0.1:0\" %s",
		 strncmp(before, "+", 1) == 0 ? before + 1 : "}");
	if (before[0] != '+')
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "\n%s", before);
	rig_configure(&d->rig, text, within);
}

static void open_held(struct door_rig *d, const char *before,
		      const char *within, bool with_tls,
		      void (*before_it)(struct door_rig *d))
{
	struct error err;

	memset(d, 0, sizeof(*d));
	log_configure(LOG_ERROR, LOG_LOGFMT, false);
	rig_init(&d->rig);
	configure(d, before, within);
	rig_open_store(&d->rig);
	sem_init(&d->stopped, 0, 0);
	sem_init(&d->reloaded, 0, 0);
	if (with_tls)
		make_tls(d);
	d->loop = loop_new(&err);
	d->calls = mailbox_new(d->loop, on_call, d);
	if (before_it)
		before_it(d);
	make_receive(d);
	ck_assert_int_eq(loop_thread_start(d->loop, "main", &err), 0);
}

void door_open_held(struct door_rig *d, const char *before, const char *within)
{
	open_held(d, before, within, false, NULL);
}

void door_open_tls(struct door_rig *d, const char *before, const char *within)
{
	open_held(d, before, within, true, NULL);
	door_start_writer(d);
}

void door_open_after(struct door_rig *d, void (*before)(struct door_rig *d),
		     const char *more, const char *within)
{
	open_held(d, more, within, false, before);
	door_start_writer(d);
}

void door_start_writer(struct door_rig *d)
{
	struct error err;

	ck_assert_int_eq(writer_start(d->rig.writer, &err), 0);
	d->writer_runs = true;
}

void door_open(struct door_rig *d, const char *before, const char *within)
{
	door_open_held(d, before, within);
	door_start_writer(d);
}

static int64_t grace;

static void on_stopped(void *data)
{
	struct door_rig *d = data;

	sem_post(&d->stopped);
}

static void begin_stop(struct door_rig *d)
{
	receive_stop(d->receive, grace, on_stopped, d);
}

void door_begin_stop(struct door_rig *d, int64_t grace_ms)
{
	grace = grace_ms;
	d->is_stopping = true;
	door_call(d, begin_stop);
}

void door_wait_stopped(struct door_rig *d)
{
	while (sem_wait(&d->stopped))
		;
}

static void free_receive(struct door_rig *d)
{
	receive_free(d->receive);
	resolver_free(d->resolver);
}

void door_close(struct door_rig *d)
{
	struct verify_result v;

	if (!d->is_stopping) {
		door_begin_stop(d, 0);
		door_wait_stopped(d);
	}
	door_call(d, free_receive);
	loop_stop(d->loop);
	loop_thread_join(d->loop);
	mailbox_free(d->calls);
	loop_free(d->loop);
	tls_context_unref(d->tls);
	ck_assert_int_eq(stats.sessions_open, 0);
	writer_stop(d->rig.writer);
	d->rig.writer = NULL;
	ck_assert_int_eq(verify_queue(d->rig.store, &v, NULL, NULL), 0);
	ck_assert_uint_eq(v.problems, 0);
	rig_done(&d->rig);
}

static void on_reloaded(void *data)
{
	struct door_rig *d = data;

	sem_post(&d->reloaded);
}

static void begin_reload(struct door_rig *d)
{
	receive_reload(d->receive, d->rig.config, NULL, on_reloaded, d);
}

void door_reload(struct door_rig *d, const char *before, const char *within)
{
	configure(d, before, within);
	door_call(d, begin_reload);
	while (sem_wait(&d->reloaded))
		;
}

void door_wait_empty(struct door_rig *d)
{
	(void)d;
	while (stats.sessions_open > 0)
		usleep(1000);
}

void door_wait_messages(struct door_rig *d, uint64_t n)
{
	while (rig_counts(&d->rig).messages < n)
		usleep(1000);
}

void door_check_one_message(struct door_rig *d, const char *contains)
{
	size_t size;
	char *content;

	door_wait_messages(d, 1);
	ck_assert_uint_eq(rig_counts(&d->rig).messages, 1);
	content = rig_content(&d->rig, 0, &size);
	ck_assert_msg(strstr(content, contains), "%s", content);
	free(content);
}

/* ---- clients ---- */

int client_open(struct door_rig *d)
{
	struct timeval patience = {.tv_sec = 20};
	struct sockaddr_storage to;
	socklen_t n = endpoint_to_sockaddr(&d->at, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, n), 0);
	return fd;
}

int client_ready(struct door_rig *d)
{
	int fd = client_open(d);

	client_expect(fd, "220 mx2.example.net");
	client_say(fd, "EHLO client.test", "250 ");
	return fd;
}

void client_send_n(int fd, const void *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t sent =
			send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);

		ck_assert_int_gt(sent, 0);
		at += (size_t)sent;
	}
}

void client_send(int fd, const char *text)
{
	client_send_n(fd, text, strlen(text));
}

/* An octet a read: nothing of the next reply is taken. */
static bool read_line(int fd, char *line, size_t room)
{
	size_t n = 0;

	while (n + 1 < room) {
		ssize_t got = recv(fd, line + n, 1, 0);

		ck_assert_msg(got >= 0 || errno == ECONNRESET, "no reply: %s",
			      strerror(errno));
		if (got <= 0)
			break;
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return n > 0;
}

const char *client_reply(int fd)
{
	static _Thread_local char line[1024];

	while (read_line(fd, line, sizeof(line)) && line[3] == '-')
		;
	return line;
}

void client_expect(int fd, const char *reply)
{
	const char *got = client_reply(fd);

	ck_assert_msg(strncmp(got, reply, strlen(reply)) == 0,
		      "got '%s', want '%s'", got, reply);
}

void client_expect_end(int fd)
{
	ck_assert_str_eq(client_reply(fd), "");
}

void client_say(int fd, const char *command, const char *reply)
{
	client_send(fd, command);
	client_send(fd, "\r\n");
	client_expect(fd, reply);
}

void client_to_data(int fd)
{
	client_say(fd, "MAIL FROM:<a@b.test>", "250 2.1.0");
	client_say(fd, "RCPT TO:<joe@example.com>", "250 2.1.5");
	client_say(fd, "DATA", "354 ");
}

void client_reset(int fd)
{
	struct linger l = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}
