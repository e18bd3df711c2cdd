/* What a simulation has no use for, and TLS contexts without any TLS. */
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/net/fetch.h"
#include "mxhold/net/ifaddrs.h"
#include "mxhold/net/program.h"
#include "mxhold/net/tls_context.h"

struct tls_context {
	unsigned refs;
};

static struct tls_context *new_context(void)
{
	struct tls_context *c = mem_alloc(sizeof(*c));

	c->refs = 1;
	return c;
}

struct tls_context *tls_context_server(const struct tls_pair *pairs MX_UNUSED,
				       size_t n MX_UNUSED,
				       const char *min_version MX_UNUSED,
				       struct error *err MX_UNUSED)
{
	return new_context();
}

struct tls_context *tls_context_client(const char *ca MX_UNUSED,
				       const char *client_cert MX_UNUSED,
				       const char *client_key MX_UNUSED,
				       const char *min_version MX_UNUSED,
				       struct error *err MX_UNUSED)
{
	return new_context();
}

void tls_context_ref(struct tls_context *c)
{
	c->refs++;
}

void tls_context_unref(struct tls_context *c)
{
	if (c && --c->refs == 0)
		mem_free(c);
}

bool tlsa_is_usable(const struct tlsa *t MX_UNUSED)
{
	return false;
}

int tls_self_signed(const char *cert_file MX_UNUSED,
		    const char *key_file MX_UNUSED, const char *name MX_UNUSED,
		    struct error *err MX_UNUSED)
{
	return 0;
}

bool tls_cert_is_for(const char *cert_file MX_UNUSED,
		     const char *name MX_UNUSED)
{
	return true;
}

int64_t tls_cert_expiry(const char *cert_file MX_UNUSED,
			struct error *err MX_UNUSED)
{
	return INT64_MAX;
}

enum fetched fetch_run(struct fetch *f MX_UNUSED, struct error *err)
{
	error_set(err, "there is no web in a simulation");
	return FETCH_FAILED;
}

int program_run(const struct program *p MX_UNUSED, struct error *err)
{
	return error_set(err, "no program runs in a simulation");
}

/* The daemon's own addresses are those of its configuration. */
bool ifaddrs_is_ours(const struct inet_addr *a)
{
	return inet_is_loopback(a);
}
