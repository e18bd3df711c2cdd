/*
 * The front door on loopback: real loops, a real queue, and clients that
 * block. The main loop has a thread of its own; what must run there is called
 * through door_call.
 */
#ifndef MXHOLD_TESTS_UNIT_RECEIVE_DOOR_H
#define MXHOLD_TESTS_UNIT_RECEIVE_DOOR_H

#include <semaphore.h>

#include "mxhold/receive/receive.h"
#include "rig.h"

struct door_rig {
	struct rig rig;
	struct loop *loop;
	struct mailbox *calls;
	struct receive *receive;
	struct endpoint at;
	sem_t stopped, reloaded;
	_Atomic unsigned kicks, etrns;
	enum etrn_outcome etrn; /* the answer for example.com */
	uint64_t waiting;
	bool writer_runs, is_stopping;
	struct tls_context *tls;   /* with door_open_tls */
	struct resolver *resolver; /* the test's, of this loop; or NULL */
};

/* As rig_configure; listens on 127.0.0.1. The writer's thread runs unless
 * door_hold_writer is used. */
void door_open(struct door_rig *d, const char *before, const char *within);
void door_open_held(struct door_rig *d, const char *before,
		    const char *within); /* until door_start_writer */
void door_open_tls(struct door_rig *d, const char *before, const char *within);
/* `before` is called when the loop is there and the front door is not. */
void door_open_after(struct door_rig *d, void (*before)(struct door_rig *d),
		     const char *more, const char *within);
void door_start_writer(struct door_rig *d);
/* Stops what was not stopped yet, frees all, looks whether the queue is
 * sound and no session is left. */
void door_close(struct door_rig *d);
/* fn runs on the main loop; returns when it has. */
void door_call(struct door_rig *d, void (*fn)(struct door_rig *d));
void door_begin_stop(struct door_rig *d, int64_t grace_ms);
void door_wait_stopped(struct door_rig *d);
/* New configuration, taken by every loop. */
void door_reload(struct door_rig *d, const char *before, const char *within);
/* Until no session is open. */
void door_wait_empty(struct door_rig *d);
void door_wait_messages(struct door_rig *d, uint64_t n);

/* A client: a blocking socket. Replies must come within 20 s. */
int client_open(struct door_rig *d);  /* connected, nothing read */
int client_ready(struct door_rig *d); /* banner and EHLO done */
void client_send(int fd, const char *text);
void client_send_n(int fd, const void *p, size_t n);
/* The last line of the next reply, in static room; "" = the end. */
const char *client_reply(int fd);
/* One command; the reply must begin so. */
void client_say(int fd, const char *command, const char *reply);
void client_expect(int fd, const char *reply);
void client_expect_end(int fd);
/* The queue holds one message; it has this text somewhere. */
void door_check_one_message(struct door_rig *d, const char *contains);
/* MAIL, RCPT, DATA with replies checked. */
void client_to_data(int fd);
void client_reset(int fd); /* RST instead of FIN */

#endif
