/*
 * A listening TCP or unix socket: bound by us or handed over by systemd.
 * Accepted sockets are given out as descriptors (non-blocking, cloexec), so
 * that another loop may serve them. Pauses by itself for 100 ms when
 * descriptors run out (EMFILE); never gives up. When they are still out after
 * that, and there is something to say, peers are taken with a descriptor kept
 * for this, told so, and closed, rather than left hanging.
 */
#ifndef MXHOLD_NET_LISTENER_H
#define MXHOLD_NET_LISTENER_H

#include <sys/types.h>

#include "mxhold/base/error.h"
#include "mxhold/base/inet.h"
#include "mxhold/net/loop.h"

struct listener;

/* The receiver owns the fd. peer is zeroed for unix sockets. */
typedef void (*listener_on_accept)(void *data, int fd,
				   const struct endpoint *peer);

/* A listening TCP socket without a listener, for listener_inherit later: low
 * ports are bound before root is given up. The descriptor, or -1. */
int listener_bind(const struct endpoint *at, struct error *err);
struct listener *listener_open(struct loop *l, const struct endpoint *at,
			       listener_on_accept on_accept, void *data,
			       struct error *err);
/* A unix socket at path (an old one is unlinked first), mode and group
 * (-1 = leave). */
struct listener *listener_open_unix(struct loop *l, const char *path,
				    mode_t mode, gid_t group,
				    listener_on_accept on_accept, void *data,
				    struct error *err);
/* fd: already listening (socket activation); checked to be so. */
struct listener *listener_inherit(struct loop *l, int fd,
				  listener_on_accept on_accept, void *data,
				  struct error *err);
/* What peers hear when descriptors have run out: a literal. */
void listener_say_when_short(struct listener *l, const char *text);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* The address it listens at (with the port that was chosen for port 0). */
int listener_address(const struct listener *l, struct endpoint *out);
void listener_close(struct listener *l); /* NULL is fine; never shutdown(2) */

#endif
