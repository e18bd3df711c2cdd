/*
 * The listening sockets: bound as `listen` sections say, or inherited from
 * systemd, each with the section whose rules hold for it. Changes of `listen`
 * need a restart, so the sections are those of the start. Main loop.
 */
#ifndef MXHOLD_RECEIVE_DOORS_H
#define MXHOLD_RECEIVE_DOORS_H

#include "mxhold/receive/receive.h"

struct doors;

/* The receiver owns the fd. */
typedef void (*doors_on_accept)(void *data, int fd, const struct endpoint *peer,
				const struct config_listen *listen);

struct doors *doors_open(const struct receive_parts *parts,
			 doors_on_accept on_accept, void *data,
			 struct error *err);
void doors_close(struct doors *d); /* NULL is fine */
size_t doors_addresses(const struct doors *d, struct endpoint *out, size_t max);

#endif
