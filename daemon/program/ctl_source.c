/* Asking the daemon; when none answers, looking for ourselves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"
#include "ctl_session.h"

#include "mxhold/base/text.h"
#include "mxhold/control/query.h"

enum {
	ANSWER_S = 150, /* the daemon's patience is less */
	ANSWER_LATER_S = 1000,
};

enum exit_code ctl_config(struct ctl *c)
{
	char *complaints = NULL;

	if (c->config)
		return EXIT_DONE;
	c->config = config_peek(c->config_file, &complaints);
	if (!c->config && complaints)
		fputs(complaints, stderr);
	free(complaints);
	return c->config ? EXIT_DONE : EXIT_BAD_CONFIG;
}

const char *ctl_name(const struct ctl *c)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%s%s", c->command->group,
		 *c->command->verb ? " " : "", c->command->verb);
	return name;
}

/* A connected socket, or -1 with errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = ANSWER_S};
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int sys = errno;

		close(fd);
		errno = sys;
		return -1;
	}
	return fd;
}

/* Sources of recipients may take minutes. */
static void be_patient(int fd)
{
	struct timeval patience = {.tv_sec = ANSWER_LATER_S};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

int ctl_send_all(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s = slice_skip(s, (size_t)n);
	}
	return 0;
}

static int send_request(int fd, const char *command, json_t *args)
{
	struct buf line;
	int rc;

	buf_init(&line, PROTOCOL_REQUEST_MAX + 1);
	rc = protocol_append_request(&line, command, args);
	if (rc == 0)
		rc = ctl_send_all(fd, buf_slice(&line));
	buf_done(&line);
	return rc;
}

/* Lines as they come */

static void give_raw(struct slice hex, const struct ctl_sink *sink)
{
	uint8_t bytes[8192];

	while (hex.n && sink->raw) {
		struct slice piece = slice_head(hex, 2 * sizeof(bytes));

		if (text_unhex(piece, bytes, piece.n / 2) < 0)
			return;
		sink->raw(sink->data, bytes, piece.n / 2);
		hex = slice_skip(hex, piece.n);
	}
}

int ctl_take_line(struct slice line, const struct ctl_sink *sink,
		  enum exit_code *exit, bool *ended)
{
	struct protocol_response r;
	struct error err = {0};

	if (protocol_parse_response(line, &r, &err) < 0) {
		ctl_complain("%s", err.text);
		*exit = EXIT_FAILED;
		return -1;
	}
	if (r.kind == PROTOCOL_ROW && sink->row)
		sink->row(sink->data, r.value);
	if (r.kind == PROTOCOL_RESULT && sink->result)
		sink->result(sink->data, r.value);
	if (r.kind == PROTOCOL_RAW)
		give_raw(r.hex, sink);
	if (r.kind == PROTOCOL_END) {
		*exit = r.exit;
		*ended = true;
		if (*r.error && sink->error)
			sink->error(sink->data, r.error);
		else if (*r.error)
			ctl_complain("%s", r.error);
	}
	protocol_response_done(&r);
	return 0;
}

static int take_lines(struct buf *in, const struct ctl_sink *sink,
		      enum exit_code *exit, bool *ended)
{
	while (!*ended) {
		struct slice s = buf_slice(in);
		ptrdiff_t lf = slice_index(s, '\n');

		if (lf < 0)
			return 0;
		if (ctl_take_line(slice_head(s, (size_t)lf), sink, exit,
				  ended) < 0)
			return -1;
		buf_consume(in, (size_t)lf + 1);
	}
	return 0;
}

static enum exit_code hear(int fd, const struct ctl_sink *sink)
{
	enum exit_code exit = EXIT_FAILED;
	bool ended = false;
	struct buf in;
	char bytes[65536];

	buf_init(&in, PROTOCOL_RESPONSE_MAX);
	while (!ended) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ctl_complain("the daemon broke off%s%s; look at its "
				     "log",
				     n < 0 ? ": " : "",
				     n < 0 ? strerror(errno) : "");
			exit = EXIT_UNREACHABLE;
			break;
		}
		if (buf_append(&in, bytes, (size_t)n) < 0 ||
		    take_lines(&in, sink, &exit, &ended) < 0) {
			exit = EXIT_FAILED;
			break;
		}
	}
	buf_done(&in);
	return exit;
}

static bool works_offline(const char *command, const json_t *args)
{
	enum change change;

	(void)args;
	return (query_knows(command) && !query_change(command, &change)) ||
	       strcmp(command, "recipients test") == 0;
}

static enum exit_code ask(int fd, const char *command, json_t *args,
			  const struct ctl_sink *sink)
{
	if (send_request(fd, command, args) == 0)
		return hear(fd, sink);
	ctl_complain("the daemon does not listen: %s", strerror(errno));
	return EXIT_UNREACHABLE;
}

enum exit_code ctl_ask(struct ctl *c, const char *command, json_t *args,
		       const struct ctl_sink *sink)
{
	enum exit_code exit = ctl_config(c);
	const char *path;
	int fd;

	if (exit != EXIT_DONE)
		return exit;
	path = c->config->control.socket;
	fd = connect_to(path);
	if (fd >= 0 && strncmp(command, "recipients ", 11) == 0)
		be_patient(fd);
	if (fd < 0 && works_offline(command, args))
		return ctl_offline(c, command, args, sink);
	if (fd < 0) {
		bool denied = errno == EACCES || errno == EPERM;

		ctl_complain("the daemon cannot be reached at %s: %s%s", path,
			     strerror(errno),
			     denied ? "; become root or join control.group"
				    : "; is mxholdd running?");
		return denied ? EXIT_NOT_PERMITTED : EXIT_UNREACHABLE;
	}
	exit = ask(fd, command, args, sink);
	close(fd);
	return exit;
}

/* Sessions */

enum exit_code ctl_session_open(struct ctl *c, bool writing,
				struct ctl_session *s)
{
	enum exit_code exit = ctl_config(c);

	if (exit != EXIT_DONE)
		return exit;
	*s = (struct ctl_session){0};
	s->fd = connect_to(c->config->control.socket);
	if (s->fd < 0)
		s->fd = ctl_serve(c, writing, &s->child);
	if (s->fd >= 0)
		return EXIT_DONE;
	ctl_complain("cannot start a process: %s", strerror(errno));
	return EXIT_FAILED;
}

enum exit_code ctl_session_ask(struct ctl_session *s, const char *command,
			       json_t *args, const struct ctl_sink *sink)
{
	return ask(s->fd, command, args, sink);
}

void ctl_session_close(struct ctl_session *s)
{
	close(s->fd);
	while (s->child > 0 && waitpid(s->child, NULL, 0) < 0)
		if (errno != EINTR)
			break;
}
