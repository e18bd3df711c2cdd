#include "outbound_internal.h"

#include "mxhold/base/buf.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/outbound/session.h"
#include "session_internal.h"

enum {
	PLAIN_FOR_MS = 10 * 60 * 1000
};

struct outbound *outbound_new(struct loop *loop, struct resolver *resolver,
			      const struct config *config)
{
	struct outbound *o = mem_alloc(sizeof(*o));

	o->loop = loop;
	o->resolver = resolver;
	o->config = config_ref(config);
	map_init(&o->contexts);
	map_init(&o->mistakes);
	list_init(&o->quitting);
	return o;
}

static void free_context(void *context)
{
	tls_context_unref(context);
}

void outbound_reload(struct outbound *o, const struct config *config)
{
	const struct config *old = o->config;

	o->config = config_ref(config);
	config_unref(old);
	map_done(&o->contexts, free_context);
	map_init(&o->contexts);
	map_done(&o->mistakes, mem_free);
	map_init(&o->mistakes);
	memset(o->plain, 0, sizeof(o->plain)); /* TLS may be mended */
}

void outbound_free(struct outbound *o)
{
	if (!o)
		return;
	LIST_FOR_EACH_SAFE (it, &o->quitting) {
		session_close(session_of_quitting(it));
	}
	map_done(&o->contexts, free_context);
	map_done(&o->mistakes, mem_free);
	config_unref(o->config);
	mem_free(o);
}

static const char *or_none(const char *path)
{
	return path && path[0] ? path : NULL;
}

struct tls_context *outbound_tls(struct outbound *o,
				 const struct config_primary *p,
				 struct error *err)
{
	const char *ca = p && p->ca && p->ca[0] ? p->ca : "system";
	const char *cert = p ? or_none(p->client_cert) : NULL;
	const char *key = p ? or_none(p->client_key) : NULL;
	struct tls_context *context;
	struct buf name;

	buf_init(&name, 16384);
	if (buf_printf(&name, "%s\n%s\n%s", ca, cert ? cert : "",
		       key ? key : "") < 0) {
		error_set(err, "the file names are too long");
		return NULL;
	}
	context = map_get(&o->contexts, buf_slice(&name));
	if (!context) {
		context = tls_context_client(ca, cert, key, "1.2", err);
		if (context)
			map_put(&o->contexts, buf_slice(&name), context);
	}
	buf_done(&name);
	if (context)
		tls_context_ref(context);
	return context;
}

static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && inet_eq(&a->addr, &b->addr);
}

bool outbound_is_plain(struct outbound *o, const struct endpoint *at)
{
	int64_t now = loop_now_ms(o->loop);

	for (size_t i = 0; i < OUTBOUND_PLAIN_MAX; i++) {
		if (o->plain[i].until_ms > now && is_same(&o->plain[i].at, at))
			return true;
	}
	return false;
}

void outbound_note_plain(struct outbound *o, const struct endpoint *at)
{
	size_t i = o->next_plain++ % OUTBOUND_PLAIN_MAX;

	o->plain[i].at = *at;
	o->plain[i].until_ms = loop_now_ms(o->loop) + PLAIN_FOR_MS;
}

void outbound_tell_mistakes(struct outbound *o, const char *domain,
			    const char *text)
{
	const char *told = map_get(&o->mistakes, slice_str(domain));
	struct log_line l;

	if (strcmp(told ? told : "", text) == 0)
		return;
	mem_free(map_put(&o->mistakes, slice_str(domain), mem_strdup(text)));
	if (!text[0])
		return;
	log_begin(&l, LOG_WARNING, "dns.mistake");
	log_str(&l, "domain", domain);
	log_str(&l, "why", text);
	log_end(&l);
}
